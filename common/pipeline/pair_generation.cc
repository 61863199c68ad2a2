// The loop: seeds, batches, verdicts, the best.
#include "common/pipeline/pair_generation.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

bool IsFinite(const ClipScores& scores) {
  return std::isfinite(scores.sim_0) && std::isfinite(scores.sim_1) && std::isfinite(scores.sim_dir) &&
         std::isfinite(scores.sim_image);
}

SampleVerdict VerdictOn(const MadeSample& made, const ClipThresholds& thresholds) {
  if (!made.finite) return SampleVerdict::kNotFinite;
  if (made.unsafe) return SampleVerdict::kUnsafe;
  return made.scores ? Judge(*made.scores, thresholds) : SampleVerdict::kPassed;
}

// One prompt under work.
class PromptRun {
 public:
  PromptRun(PairSampler& sampler, const PairPrompt& prompt, int64_t prompt_index, const PairParams& params,
            const PairHooks& hooks)
      : sampler_(sampler),
        prompt_(prompt),
        prompt_index_(prompt_index),
        params_(params),
        hooks_(hooks),
        seeds_(SampleSeeds(params, prompt_index)),
        early_stop_(params) {}

  absl::StatusOr<PromptPairs> Run() {
    const size_t batch = static_cast<size_t>(std::max(sampler_.BatchSize(params_.resolution), 1));
    while (!stopped_ && Done() < seeds_.size()) {
      const size_t count = std::min(batch, seeds_.size() - Done());
      IP2P_RETURN_IF_ERROR(RunBatch(std::span(seeds_).subspan(Done(), count)));
    }
    for (Sample& sample : pairs_.kept) {
      sample.kept = true;
      pairs_.samples[static_cast<size_t>(sample.sample_index)].kept = true;
    }
    pairs_.saved = static_cast<int>(seeds_.size() - Done());
    return std::move(pairs_);
  }

 private:
  size_t Done() const { return pairs_.samples.size(); }

  absl::Status RunBatch(std::span<const uint64_t> seeds) {
    const StepHook tell = [this](int step, int steps) -> absl::Status {
      if (!hooks_.step) return absl::OkStatus();
      return hooks_.step({.samples_done = static_cast<int>(Done()),
                          .samples_total = static_cast<int>(seeds_.size()),
                          .step = step,
                          .steps = steps});
    };
    IP2P_ASSIGN_OR_RETURN(std::vector<MadeSample> made, sampler_.Make(prompt_, params_, seeds, tell));
    if (made.size() != seeds.size()) {
      return absl::InternalError(
          absl::StrCat("the sampler made ", made.size(), " samples; wants ", seeds.size()));
    }
    for (MadeSample& sample : made) {
      if (stopped_) break;  // the batch goes beyond what one at a time would have tried
      IP2P_RETURN_IF_ERROR(Take(std::move(sample)));
    }
    return absl::OkStatus();
  }

  absl::Status Take(MadeSample made) {
    Sample& sample = pairs_.samples.emplace_back();
    sample.prompt_index = prompt_index_;
    sample.sample_index = static_cast<int>(Done()) - 1;
    sample.seed = made.seed;
    sample.p2p_threshold = made.p2p_threshold;
    sample.cfg_scale = made.cfg_scale;
    if (made.scores && !IsFinite(*made.scores)) {  // no number of JSON's, and no threshold holds for it
      made.finite = false;
      made.scores.reset();
    }
    sample.scores = made.scores;
    sample.verdict = VerdictOn(made, params_.thresholds);
    if (hooks_.sample) hooks_.sample(sample);
    stopped_ = early_stop_.Feed(sample) && params_.early_stop;
    if (sample.verdict != SampleVerdict::kPassed) return absl::OkStatus();
    ++pairs_.passed;
    return Enter(sample, made);
  }

  // Keeps a pair that passed, if it is among the best so far.
  absl::Status Enter(const Sample& sample, const MadeSample& made) {
    const auto place = std::upper_bound(pairs_.kept.begin(), pairs_.kept.end(), sample, BestFirst);
    const auto most = static_cast<size_t>(params_.max_out_samples);
    if (place == pairs_.kept.end() && pairs_.kept.size() == most) return absl::OkStatus();
    StoredPair pair{.seed = sample.seed, .before = {}, .after = {}};
    IP2P_ASSIGN_OR_RETURN(pair.before, EncodePairImage(made.before));
    IP2P_ASSIGN_OR_RETURN(pair.after, EncodePairImage(made.after));
    pairs_.pairs.insert(pairs_.pairs.begin() + (place - pairs_.kept.begin()), std::move(pair));
    pairs_.kept.insert(place, sample);
    if (pairs_.kept.size() > most) {
      pairs_.kept.pop_back();
      pairs_.pairs.pop_back();
    }
    return absl::OkStatus();
  }

  PairSampler& sampler_;
  const PairPrompt& prompt_;
  const int64_t prompt_index_;
  const PairParams& params_;
  const PairHooks& hooks_;
  const std::vector<uint64_t> seeds_;
  EarlyStop early_stop_;
  bool stopped_ = false;
  PromptPairs pairs_;
};

}  // namespace

std::vector<uint64_t> SampleSeeds(const PairParams& params, int64_t prompt_index) {
  if (!params.seeds.empty()) return params.seeds;
  std::vector<uint64_t> seeds;
  absl::flat_hash_set<uint32_t> taken;
  for (int i = 0; i < params.n_samples; ++i) {
    auto seed = static_cast<uint32_t>(
        MixSeed(params.seed, static_cast<uint64_t>(prompt_index), static_cast<uint64_t>(i)));
    while (!taken.insert(seed).second) ++seed;  // the files of a prompt's pairs are named by seed
    seeds.push_back(seed);
  }
  return seeds;
}

bool EarlyStop::Feed(const Sample& sample) {
  ++fed_;
  if (sample.scores) {
    const ClipThresholds& wanted = params_.thresholds;
    if (sample.verdict == SampleVerdict::kPassed && sample.scores->sim_dir >= wanted.dir + kMargin) ++good_;
    const ClipThresholds lower{
        .clip = wanted.clip - kMargin, .dir = wanted.dir - kMargin, .img = wanted.img - kMargin};
    hope_ = hope_ || (sample.verdict != SampleVerdict::kUnsafe &&
                      Judge(*sample.scores, lower) == SampleVerdict::kPassed);
  } else if (sample.verdict == SampleVerdict::kPassed) {
    ++good_;
    hope_ = true;
  }
  return good_ >= params_.max_out_samples || (fed_ >= kTrials && !hope_);
}

absl::StatusOr<PromptPairs> GeneratePairs(PairSampler& sampler, const PairPrompt& prompt,
                                          int64_t prompt_index, const PairParams& params,
                                          const PairHooks& hooks) {
  return PromptRun(sampler, prompt, prompt_index, params, hooks).Run();
}

}  // namespace ip2p
