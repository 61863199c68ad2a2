// The scores of a dataset's samples in memory, for histograms and "what if" at once. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/dataset/dataset_reader.h"
#include "common/dataset/dataset_stats.h"
#include "common/dataset/sample.h"

namespace ip2p::gateway {

// One sample that was tried, or a pair without scores.
struct IndexRow {
  ClipScores scores;
  uint64_t seed = 0;
  uint32_t prompt = 0;  // of DatasetIndex::folders
  SampleVerdict verdict = SampleVerdict::kPassed;
  bool scored = false;
  bool on_disk = false;  // both images are there
};

// What thresholds would keep of the samples that were tried.
struct Selection {
  int64_t samples = 0;
  int64_t passed = 0;  // over all thresholds
  int64_t pairs = 0;   // of these, at most max_out_samples a prompt
  int64_t prompts_with_pairs = 0;
  std::array<ScoreHistogram, 4> scores;  // sim_0, sim_1, sim_dir, sim_image; "kept": passed
};

enum class PairOrder { kDataset, kBestDirection, kWorstDirection };

class DatasetIndex {
 public:
  explicit DatasetIndex(size_t max_rows) : max_rows_(max_rows) {}

  // Rows beyond `max_rows` are left out; then `truncated`.
  void Add(const PromptRecord& record);

  const std::vector<std::string>& folders() const { return folders_; }
  const IndexRow& row(size_t i) const { return rows_[i]; }
  int64_t pairs() const { return pairs_; }
  int64_t prompts_with_pairs() const { return prompts_with_pairs_; }
  bool truncated() const { return truncated_; }

  Selection Select(const ClipThresholds& thresholds, int max_out_samples) const;
  // Rows of the pairs on disk that reach the thresholds; unscored ones only when all thresholds are at their
  // least (-1).
  std::vector<size_t> Pairs(const ClipThresholds& thresholds, PairOrder order) const;

 private:
  size_t max_rows_;
  std::vector<std::string> folders_;
  std::vector<IndexRow> rows_;  // a prompt's rows stand together
  int64_t pairs_ = 0;
  int64_t prompts_with_pairs_ = 0;
  bool truncated_ = false;
};

}  // namespace ip2p::gateway
