// The layout of a chart: frame, ticks, series, markers, legend.
#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"
#include "common/plot/chart_canvas.h"

namespace ip2p {
namespace {

// Of a panel, in px.
constexpr double kWidth = 440;
constexpr double kHeight = 300;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 36;
constexpr double kBottom = 48;
constexpr int kTicks = 5;
constexpr double kLegendLine = 16;

constexpr std::array<ChartColor, kChartColors> kColors = {0x4477aa, 0xee6677, 0x228833, 0xccbb44,
                                                          0x66ccee, 0x994f00, 0x777777};
constexpr ChartColor kAxis = 0x444444;
constexpr ChartColor kGrid = 0xdddddd;
constexpr ChartColor kMarker = 0xaa3377;
constexpr double kBarOpacity = 0.7;
constexpr double kDot = 5;

bool Drawn(double x, double y) { return std::isfinite(x) && std::isfinite(y); }

struct Range {
  double low = 0;
  double high = 0;
  bool empty = true;
  void Add(double value) {
    low = empty ? value : std::min(low, value);
    high = empty ? value : std::max(high, value);
    empty = false;
  }
  // What has no width gets some.
  void Widen() {
    if (low == high) high = low + (low == 0 ? 1 : std::abs(low));
  }
};

class PanelDrawer {
 public:
  PanelDrawer(const Panel& panel, double x0, double y0, ChartCanvas& canvas)
      : panel_(panel), x0_(x0), y0_(y0), canvas_(canvas) {
    for (const Series& series : panel.series) {
      const bool bars = series.kind == SeriesKind::kBars;
      for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
        if (!Drawn(series.x[i], series.y[i])) continue;
        x_.Add(series.x[i]);
        y_.Add(series.y[i]);
        if (bars) x_.Add(series.x[i] + series.bar_width);
        if (bars) y_.Add(0);
      }
    }
    for (const Marker& marker : panel.markers) {
      if (std::isfinite(marker.x)) x_.Add(marker.x);
    }
    x_.Widen();
    y_.Widen();
  }

  void Draw() {
    Frame();
    for (size_t i = 0; i < panel_.series.size(); ++i) {
      const ChartColor color = kColors[i % kColors.size()];
      if (panel_.series[i].kind == SeriesKind::kBars) {
        Bars(panel_.series[i], color);
      } else {
        Line(panel_.series[i], color);
      }
    }
    for (const Marker& marker : panel_.markers) Mark(marker);
    Legend();
  }

 private:
  double X(double x) const {
    return x0_ + kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return y0_ + kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }

  void Frame() {
    for (const double tick : Ticks(y_.low, y_.high, kTicks)) {
      canvas_.Line({X(x_.low), Y(tick)}, {X(x_.high), Y(tick)}, kGrid, /*dashed=*/false);
      canvas_.Text(X(x_.low) - 6, Y(tick) + 4, TextAnchor::kEnd, absl::StrFormat("%.6g", tick), false);
    }
    for (const double tick : Ticks(x_.low, x_.high, kTicks)) {
      canvas_.Line({X(tick), Y(y_.low)}, {X(tick), Y(y_.low) + 4}, kAxis, /*dashed=*/false);
      canvas_.Text(X(tick), Y(y_.low) + 17, TextAnchor::kMiddle, absl::StrFormat("%.6g", tick), false);
    }
    canvas_.Line({X(x_.low), Y(y_.low)}, {X(x_.high), Y(y_.low)}, kAxis, /*dashed=*/false);
    canvas_.Line({X(x_.low), Y(y_.low)}, {X(x_.low), Y(y_.high)}, kAxis, /*dashed=*/false);
    canvas_.Text(x0_ + kWidth / 2, y0_ + 20, TextAnchor::kMiddle, panel_.title, /*bold=*/true);
    canvas_.Text(x0_ + kWidth / 2, y0_ + kHeight - 12, TextAnchor::kMiddle, panel_.x_label, false);
    canvas_.TextUpwards(x0_ + 14, y0_ + kHeight / 2, panel_.y_label);
  }

  void Bars(const Series& series, ChartColor color) {
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (!Drawn(series.x[i], series.y[i]) || series.y[i] == 0) continue;
      const double top = Y(std::max(series.y[i], 0.0));
      const double left = X(series.x[i]);
      canvas_.Rect(left, top, X(series.x[i] + series.bar_width) - left, Y(std::min(series.y[i], 0.0)) - top,
                   color, kBarOpacity);
    }
  }

  void Line(const Series& series, ChartColor color) {
    std::vector<ChartPoint> points;
    const auto flush = [&] {
      if (!points.empty()) canvas_.Polyline(points, color);
      points.clear();
    };
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (Drawn(series.x[i], series.y[i])) {
        points.emplace_back(X(series.x[i]), Y(series.y[i]));
      } else {
        flush();
      }
    }
    flush();
    Label(series, color);
  }

  void Label(const Series& series, ChartColor color) {
    for (size_t i = 0; i < std::min({series.x.size(), series.y.size(), series.labels.size()}); ++i) {
      if (!Drawn(series.x[i], series.y[i])) continue;
      const double x = X(series.x[i]), y = Y(series.y[i]);
      canvas_.Rect(x - kDot / 2, y - kDot / 2, kDot, kDot, color, 1);
      // On the side where there is room.
      const bool left = x > x0_ + kWidth / 2;
      canvas_.Text(left ? x - kDot : x + kDot, y - kDot, left ? TextAnchor::kEnd : TextAnchor::kStart,
                   series.labels[i], false);
    }
  }

  void Mark(const Marker& marker) {
    if (!std::isfinite(marker.x)) return;
    canvas_.Line({X(marker.x), Y(y_.low)}, {X(marker.x), Y(y_.high)}, kMarker, /*dashed=*/true);
    canvas_.Text(X(marker.x) + 4, Y(y_.high) + 10, TextAnchor::kStart, marker.name, false);
  }

  void Legend() {
    double y = Y(y_.high) + 10;
    for (size_t i = 0; i < panel_.series.size(); ++i) {
      if (panel_.series[i].name.empty()) continue;
      const double right = x0_ + kWidth - kRight;
      canvas_.Rect(right - 10, y - 9, 10, 10, kColors[i % kColors.size()], 1);
      canvas_.Text(right - 16, y, TextAnchor::kEnd, panel_.series[i].name, false);
      y += kLegendLine;
    }
  }

  const Panel& panel_;
  const double x0_;
  const double y0_;
  ChartCanvas& canvas_;
  Range x_;
  Range y_;
};

int Wide(size_t panels, int columns) { return std::max(1, std::min(columns, static_cast<int>(panels))); }

}  // namespace

std::vector<double> Ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double raw = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::ceil(low / step), last = std::floor(high / step + 1e-9);
  for (int i = 0; i <= static_cast<int>(last - first); ++i) {
    const double at = first + i;
    ticks.push_back(at == 0 ? 0 : at * step);  // never -0
  }
  return ticks;
}

ChartSize SizeOfChart(size_t panels, int columns) {
  const int wide = Wide(panels, columns);
  const int rows = (static_cast<int>(panels) + wide - 1) / wide;
  return {wide * kWidth, rows * kHeight};
}

void DrawChart(const std::vector<Panel>& panels, int columns, ChartCanvas& canvas) {
  const int wide = Wide(panels.size(), columns);
  const ChartSize size = SizeOfChart(panels.size(), columns);
  canvas.Rect(0, 0, size.width, size.height, 0xffffff, 1);
  for (int i = 0; i < static_cast<int>(panels.size()); ++i) {
    const int row = i / wide;
    const int column = i - row * wide;
    PanelDrawer(panels[static_cast<size_t>(i)], column * kWidth, row * kHeight, canvas).Draw();
  }
}

}  // namespace ip2p
