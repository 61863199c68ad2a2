// Charts of lines and bars, as data: what svg_chart.h and png_chart.h draw. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ip2p {

enum class SeriesKind { kLine, kBars };

// Points in order of x. NaN and infinite ones are left out, and break a line.
struct Series {
  std::string name;  // in the legend; empty: not there
  SeriesKind kind = SeriesKind::kLine;
  std::vector<double> x;  // of bars: their left ends
  std::vector<double> y;
  double bar_width = 0;  // in units of x
  // Of a line: words beside its points, which then get dots. Empty: none; else one a point.
  std::vector<std::string> labels;
};

struct Marker {
  double x = 0;  // a dashed vertical line
  std::string name;
};

inline constexpr size_t kChartColors = 7;  // series of a panel that can be told apart

struct Panel {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  std::vector<Marker> markers;
};

// Round values that cover low..high, about `count` of them: 0, 0.2, 0.4, ... For low = high one value.
std::vector<double> Ticks(double low, double high, int count);

}  // namespace ip2p
