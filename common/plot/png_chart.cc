// A small rasteriser: what a shape covers of a pixel is how much of its colour the pixel takes.
#include "common/plot/png_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/image/encode.h"
#include "common/plot/bitmap_font.h"
#include "common/plot/chart_canvas.h"

namespace ip2p {
namespace {

constexpr double kScale = 2;      // pixels a px
constexpr double kLineWidth = 1;  // px
constexpr double kCurveWidth = 1.5;
constexpr double kDash = 4;
constexpr double kGap = 3;
constexpr int kDotSize = 2;  // pixels: letters of 7 px, as capital letters of 11 px are

// Of the interval from..to the part within pixel `at`.
double Overlap(double from, double to, int at) {
  return std::clamp(std::min(to, at + 1.0) - std::max(from, double(at)), 0.0, 1.0);
}

double DistanceToSegment(double x, double y, ChartPoint a, ChartPoint b) {
  const double dx = b.first - a.first;
  const double dy = b.second - a.second;
  const double length = dx * dx + dy * dy;
  const double along =
      length == 0 ? 0 : std::clamp(((x - a.first) * dx + (y - a.second) * dy) / length, 0.0, 1.0);
  return std::hypot(x - a.first - along * dx, y - a.second - along * dy);
}

class PngCanvas final : public ChartCanvas {
 public:
  explicit PngCanvas(ChartSize size)
      : image_{.width = static_cast<int>(size.width * kScale),
               .height = static_cast<int>(size.height * kScale)} {
    const size_t pixels = static_cast<size_t>(image_.width) * static_cast<size_t>(image_.height);
    image_.pixels.assign(3 * pixels, 255);
    mask_.assign(pixels, 0);
  }
  const Image& image() const { return image_; }

  void Rect(double x, double y, double width, double height, ChartColor color, double opacity) override {
    const double left = x * kScale, right = (x + width) * kScale;
    const double top = y * kScale, bottom = (y + height) * kScale;
    for (int row = First(top); row < End(bottom, image_.height); ++row) {
      for (int column = First(left); column < End(right, image_.width); ++column) {
        Blend(column, row, color, opacity * Overlap(left, right, column) * Overlap(top, bottom, row));
      }
    }
  }

  void Line(ChartPoint from, ChartPoint to, ChartColor color, bool dashed) override {
    const double length = std::hypot(to.first - from.first, to.second - from.second);
    const double dash = dashed ? kDash : length;
    for (int i = 0; i * (dash + kGap) < length; ++i) {
      const double at = i * (dash + kGap);
      const auto point = [&](double share) {
        return ChartPoint{from.first + share * (to.first - from.first),
                          from.second + share * (to.second - from.second)};
      };
      Stroke({point(at / length), point(std::min(at + dash, length) / length)}, color, kLineWidth);
    }
  }

  void Polyline(const std::vector<ChartPoint>& points, ChartColor color) override {
    Stroke(points, color, kCurveWidth);
  }

  void Text(double x, double y, TextAnchor anchor, const std::string& text, bool bold) override {
    const int width = kDotSize * DotWidth(text);
    int left = static_cast<int>(std::lround(x * kScale));
    if (anchor == TextAnchor::kMiddle) left -= width / 2;
    if (anchor == TextAnchor::kEnd) left -= width;
    const int top = static_cast<int>(std::lround(y * kScale)) - kDotSize * kGlyphBaseline;
    for (const Dot& dot : DotsOf(text)) {
      PutDot(left + kDotSize * dot.column, top + kDotSize * dot.row, kDotSize + (bold ? 1 : 0), kDotSize);
    }
  }

  void TextUpwards(double x, double y, const std::string& text) override {
    const int bottom = static_cast<int>(std::lround(y * kScale)) + kDotSize * DotWidth(text) / 2;
    const int left = static_cast<int>(std::lround(x * kScale)) - kDotSize * kGlyphBaseline;
    for (const Dot& dot : DotsOf(text)) {
      PutDot(left + kDotSize * dot.row, bottom - kDotSize * (dot.column + 1), kDotSize, kDotSize);
    }
  }

 private:
  static int First(double at) { return std::max(static_cast<int>(std::floor(at)), 0); }
  static int End(double at, int size) { return std::min(static_cast<int>(std::ceil(at)), size); }

  void PutDot(int left, int top, int width, int height) {
    for (int row = top; row < top + height; ++row) {
      for (int column = left; column < left + width; ++column) Blend(column, row, /*color=*/0, 1);
    }
  }

  void Blend(int column, int row, ChartColor color, double share) {
    if (column < 0 || row < 0 || column >= image_.width || row >= image_.height) return;
    for (int channel = 0; channel < 3; ++channel) {
      uint8_t& value = image_.pixels[3 * At(column, row) + static_cast<size_t>(channel)];
      const int wanted = color >> (16 - 8 * channel) & 0xff;
      value = static_cast<uint8_t>(std::lround(value + share * (wanted - value)));
    }
  }

  size_t At(int column, int row) const {
    return static_cast<size_t>(row) * static_cast<size_t>(image_.width) + static_cast<size_t>(column);
  }

  // All segments first, so that their joints are not drawn twice.
  void Stroke(const std::vector<ChartPoint>& points, ChartColor color, double width) {
    const double reach = width * kScale / 2;
    std::vector<std::pair<int, int>> touched;
    for (size_t i = 0; i < points.size(); ++i) {
      const ChartPoint a = {points[i].first * kScale, points[i].second * kScale};
      const ChartPoint& next = points[std::min(i + 1, points.size() - 1)];
      const ChartPoint b = {next.first * kScale, next.second * kScale};
      const int right = End(std::max(a.first, b.first) + reach, image_.width);
      const int bottom = End(std::max(a.second, b.second) + reach, image_.height);
      for (int row = First(std::min(a.second, b.second) - reach); row < bottom; ++row) {
        for (int column = First(std::min(a.first, b.first) - reach); column < right; ++column) {
          const double distance = DistanceToSegment(column + 0.5, row + 0.5, a, b);
          const auto covered = static_cast<float>(std::clamp(reach + 0.5 - distance, 0.0, 1.0));
          float& mask = mask_[At(column, row)];
          if (covered > 0 && mask == 0) touched.emplace_back(column, row);
          mask = std::max(mask, covered);
        }
      }
    }
    for (const auto& [column, row] : touched) {
      Blend(column, row, color, double{mask_[At(column, row)]});
      mask_[At(column, row)] = 0;
    }
  }

  Image image_;
  std::vector<float> mask_;  // what the stroke under work covers; 0 between two
};

}  // namespace

absl::StatusOr<std::string> PngOf(const std::vector<Panel>& panels, int columns) {
  PngCanvas canvas(SizeOfChart(panels.size(), columns));
  DrawChart(panels, columns, canvas);
  return EncodeImage(canvas.image(), {.format = ImageFormat::kPng});
}

}  // namespace ip2p
