#include "common/evaluation/curve_report.h"

#include <algorithm>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/plot/png_chart.h"
#include "common/plot/svg_chart.h"
#include "common/storage/atomic_file.h"

namespace ip2p {
namespace {

constexpr int kColumns = 3;  // of panels

// Of those of a point, how many have both captions.
int64_t Captioned(const CurvePoint& point) {
  return point.means[static_cast<size_t>(Metric::kClipDirection)].count();
}

double OrNaN(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

// The points of each text guidance, in the order of the image guidances.
std::map<double, std::vector<const CurvePoint*>> ByText(const GuidanceCurve& curve) {
  std::map<double, std::vector<const CurvePoint*>> lines;
  for (const CurvePoint& point : curve.points) lines[point.guidance.text].push_back(&point);
  for (auto& [text, points] : lines) {
    std::sort(points.begin(), points.end(),
              [](const CurvePoint* a, const CurvePoint* b) { return a->guidance.image < b->guidance.image; });
  }
  return lines;
}

// Metrics over the image guidance, a line each.
Panel OverImageGuidance(const GuidanceCurve& curve, const char* title, const char* y_label,
                        const std::vector<std::pair<Metric, const char*>>& metrics) {
  Panel panel{.title = title, .x_label = "image guidance", .y_label = y_label};
  const auto lines = ByText(curve);
  for (const auto& [text, points] : lines) {
    for (const auto& [metric, name] : metrics) {
      Series& series = panel.series.emplace_back();
      series.name = lines.size() == 1 ? name : absl::StrFormat("%s, text guidance %g", name, text);
      for (const CurvePoint* point : points) {
        series.x.push_back(point->guidance.image);
        series.y.push_back(OrNaN(point->Of(metric)));
      }
    }
  }
  return panel;
}

Panel PaperCurve(const GuidanceCurve& curve) {
  Panel panel{.title = absl::StrFormat("%d edits a point", curve.samples),
              .x_label = "CLIP text-image direction similarity",
              .y_label = "CLIP image similarity"};
  for (const auto& [text, points] : ByText(curve)) {
    Series& series = panel.series.emplace_back();
    series.name = absl::StrFormat("text guidance %g; at the points: image guidance", text);
    for (const CurvePoint* point : points) {
      series.x.push_back(OrNaN(point->Of(Metric::kClipDirection)));
      series.y.push_back(OrNaN(point->Of(Metric::kClipImage)));
      series.labels.push_back(absl::StrFormat("%g", point->guidance.image));
    }
  }
  return panel;
}

}  // namespace

std::string CurveCsv(const GuidanceCurve& curve) {
  std::string csv =
      absl::StrCat("text_guidance,image_guidance,samples,captioned,", absl::StrJoin(kMetricNames, ","), "\n");
  for (const CurvePoint& point : curve.points) {
    absl::StrAppendFormat(&csv, "%g,%g,%d,%d", point.guidance.text, point.guidance.image, curve.samples,
                          Captioned(point));
    for (const Mean& mean : point.means)
      absl::StrAppend(&csv, ",", mean.value() ? absl::StrFormat("%.9g", *mean.value()) : "");
    csv += "\n";
  }
  return csv;
}

std::string CurveJson(const GuidanceCurve& curve, const RunSettings& settings) {
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  for (const CurvePoint& point : curve.points) {
    nlohmann::ordered_json one = {{"text_guidance", point.guidance.text},
                                  {"image_guidance", point.guidance.image},
                                  {"samples", curve.samples},
                                  {"captioned", Captioned(point)}};
    for (size_t m = 0; m < kMetricNames.size(); ++m) {
      const std::optional<double> mean = point.means[m].value();
      one[kMetricNames[m]] = mean ? nlohmann::ordered_json(*mean) : nlohmann::ordered_json();
    }
    points.push_back(std::move(one));
  }
  const nlohmann::ordered_json json = {{"settings", settings},
                                       {"samples", curve.samples},
                                       {"left_out", curve.left_out},
                                       {"points", std::move(points)}};
  return json.dump(2) + "\n";
}

std::vector<Panel> CurvePanels(const GuidanceCurve& curve) {
  return {PaperCurve(curve),
          OverImageGuidance(curve, "edit and target, by CLIP", "cosine",
                            {{Metric::kClipI, "CLIP-I"}, {Metric::kClipT, "CLIP-T"}}),
          OverImageGuidance(curve, "edit and target, by pixels", "difference, pixels in 0..1",
                            {{Metric::kL1, "L1"}, {Metric::kL2, "L2"}})};
}

absl::Status WriteCurve(const GuidanceCurve& curve, const RunSettings& settings, const std::string& folder) {
  const std::vector<Panel> panels = CurvePanels(curve);
  IP2P_ASSIGN_OR_RETURN(const std::string png, PngOf(panels, kColumns));
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(folder + "/curve.csv", CurveCsv(curve)));
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(folder + "/curve.json", CurveJson(curve, settings)));
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(folder + "/curve.svg", SvgOf(panels, kColumns)));
  return WriteFileAtomically(folder + "/curve.png", png);
}

}  // namespace ip2p
