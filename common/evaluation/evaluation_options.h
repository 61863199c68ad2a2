// What an evaluation is asked to do. Defaults are those of the reference's metrics/compute_metrics.py. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/run_file.h"
#include "common/pipeline/edit_scorer.h"
#include "common/training/example_source.h"

namespace ip2p {

struct EvaluationOptions {
  Split split = Split::kTest;
  int64_t max_samples = 5000;  // 1..1000000; where the split has fewer, all of them
  int resolution = 512;        // side in px, a multiple of 64 in 64..2048
  int steps = 100;             // 1..1000
  std::vector<double> text_guidance = {7.5};
  std::vector<double> image_guidance = {1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2};
  uint32_t seed = 0;  // of the samples' order, of the pair of a prompt and of the noise
  ClipInput clip_input = ClipInput::kStandard;
  bool save_images = false;
};

struct Guidance {
  double text = 0;
  double image = 0;
  friend bool operator==(const Guidance&, const Guidance&) = default;
};
// Every text guidance with every image guidance, in the order of the lists.
std::vector<Guidance> GuidancesOf(const EvaluationOptions& options);

// All faults listed together, each as "field is found; wants wanted". INVALID_ARGUMENT.
absl::Status ValidateEvaluation(const EvaluationOptions& options);

// Everything that decides a sample's figures, by the flags' names. `max_samples` does not: an evaluation can
// be continued with more.
RunSettings SettingsOf(const EvaluationOptions& options);

const char* SplitName(Split split);  // "train", "val", "test"
// INVALID_ARGUMENT: "split is \"foo\"; wants train, val or test".
absl::StatusOr<Split> ParseSplit(std::string_view name);
// "1,1.5, 2". INVALID_ARGUMENT: "image_guidance holds \"x\"; wants numbers, separated by commas".
absl::StatusOr<std::vector<double>> ParseGuidanceList(const char* field, std::string_view text);

}  // namespace ip2p
