#include "common/dataset/dataset_stats.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/run_file.h"

namespace ip2p {
namespace {

constexpr size_t kMaxWords = 10000;  // different ones that are counted

std::string FirstWord(const std::string& text) {
  const absl::string_view stripped = absl::StripLeadingAsciiWhitespace(text);
  return absl::AsciiStrToLower(stripped.substr(0, stripped.find_first_of(" \t\r\n")));
}

void CountWord(const std::string& edit, std::map<std::string, int64_t>& words) {
  const std::string word = FirstWord(edit);
  const bool known = words.size() < kMaxWords || words.count(word) > 0;
  ++words[known ? word : "other"];
}

void CountSample(const Sample& sample, DatasetStats& stats) {
  ++stats.samples;
  ++stats.verdicts[VerdictName(sample.verdict)];
  if (sample.verdict == SampleVerdict::kPassed) ++stats.passed;
  if (sample.kept) ++stats.kept;
  if (!sample.scores.has_value()) return;
  stats.scores[0].Add(sample.scores->sim_0, sample.kept);
  stats.scores[1].Add(sample.scores->sim_1, sample.kept);
  stats.scores[2].Add(sample.scores->sim_dir, sample.kept);
  stats.scores[3].Add(sample.scores->sim_image, sample.kept);
}

std::optional<double> Threshold(const RunSettings& settings, const char* key) {
  const auto found = settings.find(key);
  if (found == settings.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::optional<ClipThresholds> ThresholdsOf(const std::string& dataset) {
  const absl::StatusOr<RunSettings> settings = ReadRunFile(dataset);
  if (!settings.ok()) return std::nullopt;
  const std::optional<double> clip = Threshold(*settings, "clip_threshold");
  const std::optional<double> dir = Threshold(*settings, "clip_dir_threshold");
  const std::optional<double> img = Threshold(*settings, "clip_img_threshold");
  if (!clip.has_value() || !dir.has_value() || !img.has_value()) return std::nullopt;
  return ClipThresholds{.clip = *clip, .dir = *dir, .img = *img};
}

}  // namespace

void ScoreHistogram::Add(double value, bool is_kept) {
  if (!std::isfinite(value)) return;
  const double bin = std::clamp(std::floor((value - kLow) / kWidth), 0.0, kBins - 1.0);
  ++bins_[static_cast<size_t>(bin)];
  if (is_kept) ++kept_[static_cast<size_t>(bin)];
  ++count_;
  sum_ += value;
}

double ScoreHistogram::Quantile(double share) const {
  const double wanted = share * static_cast<double>(count_);
  double before = 0;
  for (int i = 0; i < kBins && count_ > 0; ++i) {
    const auto here = static_cast<double>(bins_[static_cast<size_t>(i)]);
    if (here > 0 && before + here >= wanted) {
      return kLow + kWidth * (i + std::clamp((wanted - before) / here, 0.0, 1.0));
    }
    before += here;
  }
  return 0;
}

double DatasetStats::acceptance() const {
  return samples == 0 ? 0 : static_cast<double>(passed) / static_cast<double>(samples);
}

absl::StatusOr<DatasetStats> ReadDatasetStats(const std::string& dataset,
                                              const std::function<void(int64_t, int64_t)>& progress) {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(dataset));
  DatasetStats stats{.outside = static_cast<int64_t>(reader.outside().size())};
  stats.thresholds = ThresholdsOf(dataset);
  const auto all = static_cast<int64_t>(reader.folders().size());
  for (const std::string& folder : reader.folders()) {
    IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader.ReadPrompt(folder));
    ++stats.prompts;
    if (!record.pairs.empty()) ++stats.prompts_with_pairs;
    stats.pairs += static_cast<int64_t>(record.pairs.size());
    stats.halves += static_cast<int64_t>(record.halves.size());
    stats.outside += static_cast<int64_t>(record.outside.size());
    stats.bad_lines += record.bad_lines;
    stats.has_scores = stats.has_scores || record.has_scores;
    if (record.edit.empty()) {
      ++stats.bad_prompts;
    } else {
      CountWord(record.edit, stats.instructions);
    }
    for (const Sample& sample : record.samples) CountSample(sample, stats);
    if (progress) progress(stats.prompts, all);
  }
  return stats;
}

}  // namespace ip2p
