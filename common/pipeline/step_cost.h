// Learns what the stages of an edit cost on this machine, to tell callers how long theirs will take.
//
// Costs are kept per latent pixel, averaged exponentially. Thread-safe: the engine's thread writes, callers
// read.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ip2p {

class StepCost {
 public:
  // One UNet evaluation of `samples` samples of `pixels` latent pixels took this long.
  void RecordEvaluation(int samples, int pixels, absl::Duration took);
  // Everything around the steps of one output (text, encode, decode) took this long.
  void RecordFixed(int pixels, absl::Duration took);

  // Time for `evaluations` of one edit's branches, and for its fixed part. Zero before anything was recorded.
  absl::Duration Evaluations(int evaluations, int branches, int pixels) const;
  absl::Duration Fixed(int pixels) const;

 private:
  mutable absl::Mutex mutex_;
  double seconds_per_sample_pixel_ ABSL_GUARDED_BY(mutex_) = 0;
  double fixed_seconds_per_pixel_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ip2p
