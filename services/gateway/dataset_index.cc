#include "services/gateway/dataset_index.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ip2p::gateway {
namespace {

bool Passes(const IndexRow& row, const ClipThresholds& thresholds) {
  if (!row.scored || row.verdict == SampleVerdict::kUnsafe || row.verdict == SampleVerdict::kNotFinite) {
    return false;
  }
  return Judge(row.scores, thresholds) == SampleVerdict::kPassed;
}

}  // namespace

void DatasetIndex::Add(const PromptRecord& record) {
  const auto prompt = static_cast<uint32_t>(folders_.size());
  folders_.push_back(record.folder);
  pairs_ += static_cast<int64_t>(record.pairs.size());
  prompts_with_pairs_ += record.pairs.empty() ? 0 : 1;
  std::set<std::string> unscored(record.pairs.begin(), record.pairs.end());
  const auto add = [&](const IndexRow& row) {
    if (rows_.size() < max_rows_) {
      rows_.push_back(row);
    } else {
      truncated_ = true;
    }
  };
  for (const Sample& sample : record.samples) {
    const bool on_disk = unscored.erase(absl::StrCat(sample.seed)) > 0;
    add({.scores = sample.scores.value_or(ClipScores()),
         .seed = sample.seed,
         .prompt = prompt,
         .verdict = sample.verdict,
         .scored = sample.scores.has_value(),
         .on_disk = on_disk});
  }
  for (const std::string& seed : unscored) {
    IndexRow row{.prompt = prompt, .on_disk = true};
    if (absl::SimpleAtoi(seed, &row.seed)) add(row);
  }
}

Selection DatasetIndex::Select(const ClipThresholds& thresholds, int max_out_samples) const {
  Selection selection;
  for (size_t begin = 0; begin < rows_.size();) {
    size_t end = begin;
    int64_t passed = 0;
    for (; end < rows_.size() && rows_[end].prompt == rows_[begin].prompt; ++end) {
      const IndexRow& row = rows_[end];
      if (!row.scored) continue;
      const bool passes = Passes(row, thresholds);
      passed += passes ? 1 : 0;
      ++selection.samples;
      selection.scores[0].Add(row.scores.sim_0, passes);
      selection.scores[1].Add(row.scores.sim_1, passes);
      selection.scores[2].Add(row.scores.sim_dir, passes);
      selection.scores[3].Add(row.scores.sim_image, passes);
    }
    selection.passed += passed;
    selection.pairs += std::min<int64_t>(passed, max_out_samples);
    selection.prompts_with_pairs += passed > 0 ? 1 : 0;
    begin = end;
  }
  return selection;
}

std::vector<size_t> DatasetIndex::Pairs(const ClipThresholds& thresholds, PairOrder order) const {
  const bool all = thresholds.clip <= -1 && thresholds.dir <= -1 && thresholds.img <= -1;
  std::vector<size_t> found;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].on_disk && (all || Passes(rows_[i], thresholds))) found.push_back(i);
  }
  if (order == PairOrder::kDataset) return found;
  const double sign = order == PairOrder::kBestDirection ? -1 : 1;
  std::stable_sort(found.begin(), found.end(), [&](size_t a, size_t b) {
    return sign * rows_[a].scores.sim_dir < sign * rows_[b].scores.sim_dir;
  });
  return found;
}

}  // namespace ip2p::gateway
