#include "common/plot/svg_chart.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/plot/chart_canvas.h"

namespace ip2p {
namespace {

// Control characters are no XML at all.
std::string Escaped(const std::string& text) {
  std::string plain = text;
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return absl::StrReplaceAll(plain, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

const char* NameOf(TextAnchor anchor) {
  if (anchor == TextAnchor::kStart) return "start";
  return anchor == TextAnchor::kMiddle ? "middle" : "end";
}

class SvgCanvas final : public ChartCanvas {
 public:
  explicit SvgCanvas(ChartSize size) {
    out_ = absl::StrFormat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
        "font-family=\"sans-serif\" font-size=\"11\">\n",
        size.width, size.height, size.width, size.height);
  }
  std::string Document() && { return std::move(out_) + "</svg>\n"; }

  void Rect(double x, double y, double width, double height, ChartColor color, double opacity) override {
    absl::StrAppendFormat(&out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%06x\"",
                          x, y, width, height, color);
    if (opacity < 1) absl::StrAppendFormat(&out_, " fill-opacity=\"%g\"", opacity);
    out_ += "/>\n";
  }

  void Line(ChartPoint from, ChartPoint to, ChartColor color, bool dashed) override {
    absl::StrAppendFormat(
        &out_, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#%06x\"%s/>\n", from.first,
        from.second, to.first, to.second, color, dashed ? " stroke-dasharray=\"4 3\"" : "");
  }

  void Polyline(const std::vector<ChartPoint>& points, ChartColor color) override {
    out_ += "<polyline points=\"";
    for (const auto& [x, y] : points) absl::StrAppendFormat(&out_, "%.1f,%.1f ", x, y);
    absl::StrAppendFormat(&out_, "\" fill=\"none\" stroke=\"#%06x\" stroke-width=\"1.5\"/>\n", color);
  }

  void Text(double x, double y, TextAnchor anchor, const std::string& text, bool bold) override {
    absl::StrAppendFormat(&out_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y,
                          NameOf(anchor), bold ? " font-weight=\"bold\"" : "", Escaped(text));
  }

  void TextUpwards(double x, double y, const std::string& text) override {
    absl::StrAppendFormat(
        &out_,
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\">%s</text>\n",
        x, y, x, y, Escaped(text));
  }

 private:
  std::string out_;
};

}  // namespace

std::string SvgOf(const std::vector<Panel>& panels, int columns) {
  SvgCanvas canvas(SizeOfChart(panels.size(), columns));
  DrawChart(panels, columns, canvas);
  return std::move(canvas).Document();
}

}  // namespace ip2p
