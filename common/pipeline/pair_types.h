// The words of pair generation. No torch, no protobuf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/dataset/sample.h"
#include "common/image/image.h"

namespace ip2p {

inline constexpr int kMaxPairResolution = 1024;  // px

// Field names equal the reference's flags and the proto's; common_steps, which the reference lacks, keeps in
// its place what a small model else moves. Limits are checked by ValidatePairs.
struct PairParams {
  int steps = 100;          // 1..1000
  int n_samples = 100;      // tried per prompt, 1..10000; ignored when `seeds` is given
  int max_out_samples = 4;  // kept per prompt, best sim_dir first, 1..1000
  double min_p2p = 0.1;     // 0..1
  double max_p2p = 0.9;     // min_p2p..1
  // Share of the steps that both images take as one, by the first caption, or towards the prompt's photo
  // where it has one, 0..1.
  double common_steps = 0;
  std::optional<double> whole_common_steps;  // the same of photos most of which changes; absent: the same
  double min_cfg = 7.5;                      // 0..100
  double max_cfg = 15;                       // min_cfg..100
  ClipThresholds thresholds;
  int resolution = 512;         // side of the square images in px, a multiple of 64 in 64..1024
  uint64_t seed = 0;            // global; each sample's follows from it, the prompt's and the sample's index
  std::vector<uint64_t> seeds;  // exactly these sample seeds instead, at most 10000
  bool early_stop = false;      // see EarlyStop in pair_generation.h
  bool safety_check = true;     // where a safety checker is loaded
};

// Which image of a pair a photo is.
enum class PhotoSide { kBefore, kAfter };

struct PairPrompt {
  std::string caption;
  std::string output;  // the caption after the edit
  // A picture of any size, fitted to the resolution, that is one of the two images; its caption is that
  // one's. The common steps lead to it, and where the captions differ in a part of it only, the other image
  // is the photo elsewhere (changed_region.h). Without pixels: none, and both images are the model's.
  Image photo = {};
  PhotoSide photo_side = PhotoSide::kBefore;
  friend bool operator==(const PairPrompt&, const PairPrompt&) = default;
};

// All faults listed together, each as "field is found; wants wanted". INVALID_ARGUMENT.
absl::Status ValidatePairs(const PairParams& params);
absl::Status ValidatePairPrompt(const PairPrompt& prompt);

}  // namespace ip2p
