#include "common/pipeline/step_cost.h"

namespace ip2p {
namespace {

void Average(double& mean, double value) {
  constexpr double kWeight = 0.2;  // the last ten or so measurements decide
  mean = mean == 0 ? value : mean + kWeight * (value - mean);
}

}  // namespace

void StepCost::RecordEvaluation(int samples, int pixels, absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  Average(seconds_per_sample_pixel_, absl::ToDoubleSeconds(took) / samples / pixels);
}

void StepCost::RecordFixed(int pixels, absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  Average(fixed_seconds_per_pixel_, absl::ToDoubleSeconds(took) / pixels);
}

absl::Duration StepCost::Evaluations(int evaluations, int branches, int pixels) const {
  absl::MutexLock lock(&mutex_);
  return absl::Seconds(seconds_per_sample_pixel_ * evaluations * branches * pixels);
}

absl::Duration StepCost::Fixed(int pixels) const {
  absl::MutexLock lock(&mutex_);
  return absl::Seconds(fixed_seconds_per_pixel_ * pixels);
}

}  // namespace ip2p
