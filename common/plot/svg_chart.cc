#include "common/plot/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

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

constexpr std::array<const char*, 4> kColors = {"#4477aa", "#ee6677", "#228833", "#ccbb44"};

// Control characters are no XML at all.
std::string Escaped(const std::string& text) {
  std::string plain = text;
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return absl::StrReplaceAll(plain, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

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

class PanelWriter {
 public:
  PanelWriter(const Panel& panel, double x0, double y0) : panel_(panel), x0_(x0), y0_(y0) {
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

  std::string Text() {
    Frame();
    for (size_t i = 0; i < panel_.series.size(); ++i) {
      const char* const color = kColors[i % kColors.size()];
      if (panel_.series[i].kind == SeriesKind::kBars) {
        Bars(panel_.series[i], color);
      } else {
        Line(panel_.series[i], color);
      }
    }
    for (const Marker& marker : panel_.markers) Mark(marker);
    Legend();
    return out_;
  }

 private:
  double X(double x) const {
    return x0_ + kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return y0_ + kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }

  void Label(double x, double y, const char* anchor, const std::string& text, const char* more = "") {
    absl::StrAppendFormat(&out_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor,
                          more, Escaped(text));
  }

  void Stroke(double x1, double y1, double x2, double y2, const char* style) {
    absl::StrAppendFormat(&out_, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2,
                          y2, style);
  }

  void Frame() {
    for (const double tick : Ticks(y_.low, y_.high, kTicks)) {
      Stroke(X(x_.low), Y(tick), X(x_.high), Y(tick), "stroke=\"#ddd\"");
      Label(X(x_.low) - 6, Y(tick) + 4, "end", absl::StrFormat("%.6g", tick));
    }
    for (const double tick : Ticks(x_.low, x_.high, kTicks)) {
      Stroke(X(tick), Y(y_.low), X(tick), Y(y_.low) + 4, "stroke=\"#444\"");
      Label(X(tick), Y(y_.low) + 17, "middle", absl::StrFormat("%.6g", tick));
    }
    Stroke(X(x_.low), Y(y_.low), X(x_.high), Y(y_.low), "stroke=\"#444\"");
    Stroke(X(x_.low), Y(y_.low), X(x_.low), Y(y_.high), "stroke=\"#444\"");
    Label(x0_ + kWidth / 2, y0_ + 20, "middle", panel_.title, " font-weight=\"bold\"");
    Label(x0_ + kWidth / 2, y0_ + kHeight - 12, "middle", panel_.x_label);
    const std::string turned =
        absl::StrFormat(" transform=\"rotate(-90 %.1f %.1f)\"", x0_ + 14, y0_ + kHeight / 2);
    Label(x0_ + 14, y0_ + kHeight / 2, "middle", panel_.y_label, turned.c_str());
  }

  void Bars(const Series& series, const char* color) {
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (!Drawn(series.x[i], series.y[i]) || series.y[i] == 0) continue;
      const double top = Y(std::max(series.y[i], 0.0));
      const double left = X(series.x[i]);
      absl::StrAppendFormat(&out_,
                            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                            "fill-opacity=\"0.7\"/>\n",
                            left, top, X(series.x[i] + series.bar_width) - left,
                            Y(std::min(series.y[i], 0.0)) - top, color);
    }
  }

  void Line(const Series& series, const char* color) {
    std::string points;
    const auto flush = [&] {
      if (points.empty()) return;
      absl::StrAppendFormat(&out_,
                            "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n",
                            points, color);
      points.clear();
    };
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (!Drawn(series.x[i], series.y[i])) {
        flush();
        continue;
      }
      absl::StrAppendFormat(&points, "%s%.1f,%.1f", points.empty() ? "" : " ", X(series.x[i]),
                            Y(series.y[i]));
    }
    flush();
  }

  void Mark(const Marker& marker) {
    if (!std::isfinite(marker.x)) return;
    Stroke(X(marker.x), Y(y_.low), X(marker.x), Y(y_.high), "stroke=\"#aa3377\" stroke-dasharray=\"4 3\"");
    Label(X(marker.x) + 4, Y(y_.high) + 10, "start", marker.name);
  }

  void Legend() {
    double y = Y(y_.high) + 10;
    for (size_t i = 0; i < panel_.series.size(); ++i) {
      if (panel_.series[i].name.empty()) continue;
      const double right = x0_ + kWidth - kRight;
      absl::StrAppendFormat(&out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"%s\"/>\n",
                            right - 10, y - 9, kColors[i % kColors.size()]);
      Label(right - 16, y, "end", panel_.series[i].name);
      y += kLegendLine;
    }
  }

  const Panel& panel_;
  const double x0_;
  const double y0_;
  Range x_;
  Range y_;
  std::string out_;
};

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

std::string SvgOf(const std::vector<Panel>& panels, int columns) {
  const int n = static_cast<int>(panels.size());
  const int wide = std::max(1, std::min(columns, n));
  const int rows = (n + wide - 1) / wide;
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" "
      "fill=\"#fff\"/>\n",
      wide * kWidth, rows * kHeight, wide * kWidth, rows * kHeight);
  for (int i = 0; i < n; ++i) {
    const int row = i / wide;
    const int column = i - row * wide;
    out += PanelWriter(panels[static_cast<size_t>(i)], column * kWidth, row * kHeight).Text();
  }
  return out + "</svg>\n";
}

}  // namespace ip2p
