// One sample of a prompt, kept or not: a line of scores.jsonl (FORMAT.md), and how CLIP's filter judges it.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

// Cosines by CLIP, -1..1, as the reference's ClipSimilarity.
struct ClipScores {
  double sim_0 = 0;      // first image and first caption
  double sim_1 = 0;      // second image and second caption
  double sim_dir = 0;    // change of the images and change of the captions
  double sim_image = 0;  // first image and second image
  friend bool operator==(const ClipScores&, const ClipScores&) = default;
};

// Least scores that a pair must reach. Flags --clip-threshold, --clip-dir-threshold, --clip-img-threshold.
struct ClipThresholds {
  double clip = 0.2;
  double dir = 0.2;
  double img = 0.7;
  bool all_zero() const { return clip == 0 && dir == 0 && img == 0; }  // CLIP is not asked at all
};

enum class SampleVerdict { kPassed, kBelowClip, kBelowDirection, kBelowImage, kUnsafe, kNotFinite };

struct Sample {
  int64_t prompt_index = 0;  // row of the prompts file, from 0
  int sample_index = 0;      // among the prompt's samples, from 0
  uint64_t seed = 0;
  double p2p_threshold = 0;          // share of the steps with shared self-attention, drawn from the seed
  double cfg_scale = 0;              // drawn from the seed
  std::optional<ClipScores> scores;  // absent when CLIP was not asked
  SampleVerdict verdict = SampleVerdict::kPassed;
  bool kept = false;  // passed, and among the best max_out_samples
  friend bool operator==(const Sample&, const Sample&) = default;
};

// The first threshold that the scores miss, in the order clip, direction, image.
SampleVerdict Judge(const ClipScores& scores, const ClipThresholds& thresholds);

// "passed", "below_clip", "below_direction", "below_image", "unsafe", "not_finite": words of scores.jsonl,
// labels of metrics, columns of tables.
const char* VerdictName(SampleVerdict verdict);

// The reference's order of what passed: higher (sim_dir, seed) first. Without scores, the higher seed.
bool BestFirst(const Sample& a, const Sample& b);
// Sets `kept` of the best `max_out_samples` that passed, and clears that of all others.
void MarkKept(std::span<Sample> samples, int max_out_samples);

// A line of metadata.jsonl: seed, p2p_threshold, cfg_scale and, when CLIP was asked, the four scores. No
// newline.
std::string MetadataLine(const Sample& sample);
// A line of scores.jsonl: the same, then sample_index, verdict and kept. No newline.
std::string ScoreLine(const Sample& sample);
// Of a kept pair's files.
struct PairDigests {
  std::string before;  // SHA-256, hexadecimal
  std::string after;
  friend bool operator==(const PairDigests&, const PairDigests&) = default;
};
// The line of a kept one: also before_sha256 and after_sha256.
std::string ScoreLine(const Sample& sample, const PairDigests& digests);
// Nothing when the line has none.
std::optional<PairDigests> ParseDigests(std::string_view line);

// Reads either; what metadata.jsonl lacks is "passed" and kept. INVALID_ARGUMENT says which key is missing or
// of which type. Unknown keys are ignored.
absl::StatusOr<Sample> ParseScoreLine(std::string_view line, int64_t prompt_index);

}  // namespace ip2p
