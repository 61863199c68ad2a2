// All samples of one prompt: made in batches, judged, the best kept. The reference's inner loop, with memory
// that doesn't grow with n_samples: a pair that enters the best is encoded at once, and whatever falls out is
// gone but for its scores.
//
// What comes out is a function of weights, precision, prompt, its index and params: the batch size does not
// show, with early stop neither. The sampler's thread; torch-free.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/prompt_folder.h"
#include "common/pipeline/pair_sampler.h"
#include "common/pipeline/pair_types.h"

namespace ip2p {

// Where a prompt stands, after each denoising step of a batch.
struct PairStep {
  int samples_done = 0;   // finished and judged; count
  int samples_total = 0;  // at most; count
  int step = 0;           // of the present batch, 1..steps
  int steps = 0;
};

// Both may be empty.
struct PairHooks {
  std::function<void(const Sample& sample)> sample;        // judged; in sample order; `kept` isn't known yet
  std::function<absl::Status(const PairStep& step)> step;  // an error gives the prompt up
};

struct PromptPairs {
  std::vector<Sample> samples;    // all that were tried, in sample order
  std::vector<Sample> kept;       // best first
  std::vector<StoredPair> pairs;  // theirs, in the same order
  int passed = 0;
  int saved = 0;  // samples that early stop left out
};

// Seeds of a prompt's samples in their order: params.seeds, or n_samples distinct ones of 32 bits that follow
// from (params.seed, prompt index, sample index). Those of fewer samples are a prefix of those of more.
std::vector<uint64_t> SampleSeeds(const PairParams& params, int64_t prompt_index);

// When a prompt needs no more samples. Fed in sample order, so that batches don't show.
//
// Enough: max_out_samples passed with sim_dir at least kMargin over its threshold (all that passed, when CLIP
// isn't asked). Hopeless: of kTrials samples or more none would pass even with each threshold kMargin lower.
class EarlyStop {
 public:
  static constexpr double kMargin = 0.05;  // of a cosine
  static constexpr int kTrials = 25;

  explicit EarlyStop(const PairParams& params) : params_(params) {}
  // True: no sample after this one is wanted.
  bool Feed(const Sample& sample);

 private:
  const PairParams& params_;
  int fed_ = 0;
  int good_ = 0;
  bool hope_ = false;
};

// `params` were validated. Errors: those of PairSampler::Make, what hooks.step returned.
absl::StatusOr<PromptPairs> GeneratePairs(PairSampler& sampler, const PairPrompt& prompt,
                                          int64_t prompt_index, const PairParams& params,
                                          const PairHooks& hooks = {});

}  // namespace ip2p
