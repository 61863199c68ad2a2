// Statistics of a dataset as a table, JSON and a chart.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/dataset/dataset_stats.h"
#include "common/plot/png_chart.h"
#include "common/plot/svg_chart.h"

namespace ip2p {
namespace {

constexpr std::array<const char*, 4> kScoreNames = {"clip_sim_0", "clip_sim_1", "clip_sim_dir",
                                                    "clip_sim_image"};
constexpr std::array<double, 5> kShares = {0.05, 0.25, 0.5, 0.75, 0.95};
constexpr size_t kShownWords = 10;
constexpr int kChartColumns = 2;

std::vector<std::pair<std::string, int64_t>> MostFrequent(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

double ThresholdOf(const ClipThresholds& thresholds, size_t score) {
  if (score == 2) return thresholds.dir;
  return score == 3 ? thresholds.img : thresholds.clip;
}

void Row(std::string& out, const char* name, int64_t value) {
  absl::StrAppendFormat(&out, "%-22s %12d\n", name, value);
}

// A panel a score.
std::vector<Panel> PanelsOf(const DatasetStats& stats) {
  std::vector<Panel> panels;
  for (size_t i = 0; i < stats.scores.size(); ++i) {
    Series all{.name = "samples", .kind = SeriesKind::kBars, .bar_width = ScoreHistogram::kWidth};
    for (int bin = 0; bin < ScoreHistogram::kBins; ++bin) {
      const int64_t count = stats.scores[i].bins()[static_cast<size_t>(bin)];
      if (count == 0) continue;
      all.x.push_back(ScoreHistogram::kLow + bin * ScoreHistogram::kWidth);
      all.y.push_back(static_cast<double>(count));
    }
    Series kept{.name = "kept", .kind = SeriesKind::kBars, .x = all.x, .bar_width = ScoreHistogram::kWidth};
    for (int bin = 0; bin < ScoreHistogram::kBins; ++bin) {
      if (stats.scores[i].bins()[static_cast<size_t>(bin)] == 0) continue;
      kept.y.push_back(static_cast<double>(stats.scores[i].kept()[static_cast<size_t>(bin)]));
    }
    Panel panel{.title = kScoreNames[i], .x_label = "cosine", .y_label = "samples"};
    panel.series = {std::move(all), std::move(kept)};
    if (stats.thresholds.has_value())
      panel.markers.push_back({ThresholdOf(*stats.thresholds, i), "threshold"});
    panels.push_back(std::move(panel));
  }
  return panels;
}

}  // namespace

std::string DatasetStatsText(const DatasetStats& stats) {
  std::string out;
  Row(out, "prompts", stats.prompts);
  Row(out, "with pairs", stats.prompts_with_pairs);
  Row(out, "pairs", stats.pairs);
  if (stats.halves > 0) Row(out, "images without a half", stats.halves);
  if (stats.bad_prompts > 0) Row(out, "without instruction", stats.bad_prompts);
  if (stats.bad_lines > 0) Row(out, "unreadable score lines", stats.bad_lines);
  if (stats.outside > 0) Row(out, "links passed over", stats.outside);
  if (stats.has_scores) {
    Row(out, "samples", stats.samples);
    absl::StrAppendFormat(&out, "%-22s %12d  %5.1f %%\n", "passed", stats.passed, 100 * stats.acceptance());
    Row(out, "kept", stats.kept);
    for (const auto& [verdict, count] : MostFrequent(stats.verdicts)) {
      if (verdict != VerdictName(SampleVerdict::kPassed)) Row(out, verdict.c_str(), count);
    }
  }
  if (stats.scores[0].count() > 0) {
    absl::StrAppendFormat(&out, "\n%-16s %8s %7s %7s %7s %7s %7s %7s\n", "score", "count", "mean", "5 %",
                          "25 %", "50 %", "75 %", "95 %");
    for (size_t i = 0; i < stats.scores.size(); ++i) {
      const ScoreHistogram& score = stats.scores[i];
      absl::StrAppendFormat(&out, "%-16s %8d %7.3f", kScoreNames[i], score.count(), score.mean());
      for (const double share : kShares) absl::StrAppendFormat(&out, " %7.3f", score.Quantile(share));
      out += "\n";
    }
  }
  const auto words = MostFrequent(stats.instructions);
  if (!words.empty()) out += "\ninstructions start with\n";
  for (size_t i = 0; i < std::min(words.size(), kShownWords); ++i) {
    Row(out, words[i].first.c_str(), words[i].second);
  }
  return out;
}

std::string DatasetStatsJson(const DatasetStats& stats) {
  nlohmann::ordered_json out;
  out["prompts"] = stats.prompts;
  out["prompts_with_pairs"] = stats.prompts_with_pairs;
  out["pairs"] = stats.pairs;
  out["halves"] = stats.halves;
  out["bad_prompts"] = stats.bad_prompts;
  out["bad_lines"] = stats.bad_lines;
  out["outside"] = stats.outside;
  if (stats.has_scores) {
    out["samples"] = stats.samples;
    out["passed"] = stats.passed;
    out["kept"] = stats.kept;
    out["acceptance"] = stats.acceptance();
    out["verdicts"] = stats.verdicts;
  }
  for (size_t i = 0; i < stats.scores.size() && stats.scores[0].count() > 0; ++i) {
    const ScoreHistogram& score = stats.scores[i];
    nlohmann::ordered_json& entry = out["scores"][kScoreNames[i]];
    entry["count"] = score.count();
    entry["mean"] = score.mean();
    for (const double share : kShares) {
      entry["quantiles"][absl::StrFormat("%g", share)] = score.Quantile(share);
    }
    if (stats.thresholds.has_value()) entry["threshold"] = ThresholdOf(*stats.thresholds, i);
    entry["histogram"] = {{"low", ScoreHistogram::kLow},
                          {"width", ScoreHistogram::kWidth},
                          {"counts", score.bins()},
                          {"kept", score.kept()}};
  }
  out["instructions"] = stats.instructions;
  return out.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string DatasetStatsSvg(const DatasetStats& stats) { return SvgOf(PanelsOf(stats), kChartColumns); }

absl::StatusOr<std::string> DatasetStatsPng(const DatasetStats& stats) {
  return PngOf(PanelsOf(stats), kChartColumns);
}

}  // namespace ip2p
