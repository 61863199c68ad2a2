// Between a chart and what it is drawn on: the layout is made once, so an SVG and a PNG of one chart show the
// same. Lengths are in px of the chart, x to the right, y down.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/plot/chart.h"

namespace ip2p {

using ChartColor = int;  // 0xRRGGBB
using ChartPoint = std::pair<double, double>;

enum class TextAnchor { kStart, kMiddle, kEnd };

class ChartCanvas {
 public:
  virtual ~ChartCanvas() = default;
  virtual void Rect(double x, double y, double width, double height, ChartColor color, double opacity) = 0;
  virtual void Line(ChartPoint from, ChartPoint to, ChartColor color, bool dashed) = 0;  // 1 px wide
  virtual void Polyline(const std::vector<ChartPoint>& points, ChartColor color) = 0;    // 1.5 px wide
  // Letters of 11 px on the line y. `text` is UTF-8 from anyone.
  virtual void Text(double x, double y, TextAnchor anchor, const std::string& text, bool bold) = 0;
  // Upwards, its middle at the point.
  virtual void TextUpwards(double x, double y, const std::string& text) = 0;
};

struct ChartSize {
  double width = 0;
  double height = 0;
};
ChartSize SizeOfChart(size_t panels, int columns);
// Panels in rows of `columns`, which is at least 1.
void DrawChart(const std::vector<Panel>& panels, int columns, ChartCanvas& canvas);

}  // namespace ip2p
