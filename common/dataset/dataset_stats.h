// What a dataset holds and how its samples scored. One pass over the folders; memory does not grow with them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/sample.h"

namespace ip2p {

// Counts of values in bins of 0.025 over -0.5..1; what is lower or higher goes into the outermost bin.
class ScoreHistogram {
 public:
  static constexpr int kBins = 60;
  static constexpr double kLow = -0.5;
  static constexpr double kWidth = 0.025;

  void Add(double value, bool kept);
  int64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The value that a share of them is below, within a bin's width. 0 without any.
  double Quantile(double share) const;
  const std::array<int64_t, kBins>& bins() const { return bins_; }
  const std::array<int64_t, kBins>& kept() const { return kept_; }

 private:
  std::array<int64_t, kBins> bins_{};
  std::array<int64_t, kBins> kept_{};
  int64_t count_ = 0;
  double sum_ = 0;
};

struct DatasetStats {
  int64_t prompts = 0;  // folders
  int64_t prompts_with_pairs = 0;
  int64_t pairs = 0;  // both images there
  int64_t halves = 0;
  int64_t bad_prompts = 0;  // no readable prompt.json with an instruction
  int64_t bad_lines = 0;    // of scores.jsonl or metadata.jsonl
  int64_t outside = 0;      // links that leave the dataset, passed over
  bool has_scores = false;  // some folder has scores.jsonl: rejected samples are known
  int64_t samples = 0;
  int64_t passed = 0;
  int64_t kept = 0;
  std::map<std::string, int64_t> verdicts;      // by VerdictName
  std::array<ScoreHistogram, 4> scores;         // sim_0, sim_1, sim_dir, sim_image
  std::optional<ClipThresholds> thresholds;     // of run.json
  std::map<std::string, int64_t> instructions;  // first word, lower case; "other" beyond 10000
  double acceptance() const;                    // passed of samples; 0 without any
};

// `progress` (folders done, of all) may be null. Errors: those of DatasetReader.
absl::StatusOr<DatasetStats> ReadDatasetStats(const std::string& dataset,
                                              const std::function<void(int64_t, int64_t)>& progress);

std::string DatasetStatsText(const DatasetStats& stats);
std::string DatasetStatsJson(const DatasetStats& stats);
// Four histograms, all samples and the kept ones, with the run's thresholds.
std::string DatasetStatsSvg(const DatasetStats& stats);
absl::StatusOr<std::string> DatasetStatsPng(const DatasetStats& stats);

}  // namespace ip2p
