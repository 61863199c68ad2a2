// What a training run leaves in its folder that pages show: the loss of its steps, and validation images
// (common/training/FORMAT.md). Free functions, any thread; they only read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace ip2p::gateway {

struct CurvePoint {
  int64_t step = 0;  // the last of those that the point stands for
  double loss = 0;   // their mean
  double lr = 0;
};

// At most `points` points over all steps in metrics.jsonl; of a large file some steps stand for all. Losses
// that are no number are left out. No file: no points.
std::vector<CurvePoint> ReadCurve(const std::string& run, int points);

struct ValidationFolder {
  int64_t step = 0;
  nlohmann::json metrics;           // of metrics.json; null when it can't be read
  std::vector<std::string> images;  // "000-edit.png", sorted
};

// Newest first, at most `most`.
std::vector<ValidationFolder> ListValidations(const std::string& run, size_t most);

// NOT_FOUND: no such step or image. INVALID_ARGUMENT: the name is none of an image.
absl::StatusOr<std::string> ReadValidationImage(const std::string& run, int64_t step,
                                                const std::string& name);

}  // namespace ip2p::gateway
