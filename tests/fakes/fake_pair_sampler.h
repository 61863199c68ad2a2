// A sampler without a model: scores and flat pictures are hashes of prompt and seed, so that equal orders
// give equal bytes. Any thread may hold it between two steps; what is counted is thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/hash128.h"
#include "common/base/permutation.h"
#include "common/pipeline/pair_sampler.h"

namespace ip2p {

// A number in 0..1 of a seed and a purpose.
inline double Share01(uint64_t seed, uint64_t purpose) {
  return static_cast<double>(MixSeed(seed, purpose) >> 11) * 0x1p-53;
}

struct FakePairSamplerOptions {
  int batch = 4;
  bool clip = true;
  bool safety_checker = false;
  int side = 16;                   // px of the pictures, whatever was asked
  uint64_t nan_seed = UINT64_MAX;  // this one is not finite
  bool all_nan = false;
  uint64_t unsafe_seed = UINT64_MAX;  // this one is flagged
  double lowest = 0;                  // scores are uniform in lowest..highest
  double highest = 1;
  std::string fingerprint = "00000000000000000000000000000000";
  std::function<void(const PairPrompt&)> on_make;  // may be null
};

class FakePairSampler final : public PairSampler {
 public:
  explicit FakePairSampler(FakePairSamplerOptions options = {}) : options_(std::move(options)) {}

  absl::StatusOr<std::vector<MadeSample>> Make(const PairPrompt& prompt, const PairParams& params,
                                               std::span<const uint64_t> seeds,
                                               const StepHook& hook) override {
    if (!params.thresholds.all_zero() && !options_.clip) {
      return absl::FailedPreconditionError("a threshold is not 0 and no CLIP is loaded; wants --clip");
    }
    if (options_.on_make) options_.on_make(prompt);
    for (int step = 1; step <= params.steps; ++step) {
      Pass();
      if (!hook) continue;
      if (absl::Status status = hook(step, params.steps); !status.ok()) return status;
    }
    std::vector<MadeSample> made;
    for (const uint64_t seed : seeds) made.push_back(One(prompt, params, seed));
    absl::MutexLock lock(&mutex_);
    made_ += static_cast<int>(seeds.size());
    largest_batch_ = std::max(largest_batch_, static_cast<int>(seeds.size()));
    return made;
  }
  int BatchSize(int) const override { return options_.batch; }
  int native_resolution() const override { return 512; }
  bool has_clip() const override { return options_.clip; }
  bool has_safety_checker() const override { return options_.safety_checker; }
  std::string precision_name() const override { return "fp32"; }
  std::string fingerprint() const override { return options_.fingerprint; }

  // From now on the next step waits.
  void Hold() {
    absl::MutexLock lock(&mutex_);
    held_ = true;
  }
  // Until a step waits.
  void AwaitHeld() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&waiting_));
  }
  void Release() {
    absl::MutexLock lock(&mutex_);
    held_ = false;
  }
  int made() const {
    absl::MutexLock lock(&mutex_);
    return made_;
  }
  int steps() const {
    absl::MutexLock lock(&mutex_);
    return steps_;
  }
  int largest_batch() const {
    absl::MutexLock lock(&mutex_);
    return largest_batch_;
  }

 private:
  void Pass() {
    absl::MutexLock lock(&mutex_);
    waiting_ = true;
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !held_; };
    mutex_.Await(absl::Condition(&free));
    waiting_ = false;
    ++steps_;
  }

  double Score(uint64_t key, uint64_t purpose) const {
    return options_.lowest + (options_.highest - options_.lowest) * Share01(key, purpose);
  }

  MadeSample One(const PairPrompt& prompt, const PairParams& params, uint64_t seed) const {
    const uint64_t key = MixSeed(HashText(prompt.caption + "\n" + prompt.output).low, seed);
    MadeSample sample;
    sample.seed = seed;
    sample.p2p_threshold = params.min_p2p + (params.max_p2p - params.min_p2p) * Share01(seed, 1);
    sample.cfg_scale = params.min_cfg + (params.max_cfg - params.min_cfg) * Share01(seed, 2);
    sample.finite = seed != options_.nan_seed && !options_.all_nan;
    sample.unsafe = params.safety_check && options_.safety_checker && seed == options_.unsafe_seed;
    if (!sample.finite) return sample;
    if (!params.thresholds.all_zero()) {
      sample.scores = ClipScores{.sim_0 = Score(key, 3),
                                 .sim_1 = Score(key, 4),
                                 .sim_dir = Score(key, 5),
                                 .sim_image = Score(key, 6)};
    }
    sample.before = Flat(key);
    sample.after = Flat(key + 1);
    return sample;
  }

  Image Flat(uint64_t key) const {
    Image image{.width = options_.side, .height = options_.side};
    const auto value = static_cast<uint8_t>(MixSeed(key, 7));
    image.pixels.assign(static_cast<size_t>(options_.side) * options_.side * 3, value);
    return image;
  }

  const FakePairSamplerOptions options_;

  mutable absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  int largest_batch_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ip2p
