// Steps pairs of images towards their pictures: both images of a pair share start noise, ancestral noise and,
// for the first part of the way, self-attention maps; before that, where it is asked for, whole steps. Not
// thread-safe; torch's exceptions leave.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/diffusion/noise_schedule.h"
#include "common/diffusion/sampler.h"
#include "common/model/stable_diffusion.h"
#include "common/pipeline/batch_trials.h"
#include "common/pipeline/pair_rows.h"
#include "common/pipeline/pair_types.h"

namespace ip2p {

// One pair on its way.
struct PairItem {
  uint64_t seed = 0;
  double p2p_threshold = 0;
  double cfg_scale = 0;
  std::unique_ptr<Sampler> sampler;  // x [2,C,h,w]
};

// A picture that the pair starts from. Undefined tensors: none.
struct PairPhoto {
  torch::Tensor latents;  // [1,C,h,w] float32 in the model's scale: the first image, from start to end
  torch::Tensor region;  // [1,1,h,w] bool: outside of it the second one is the photo, too; undefined: nowhere
};

// Draws in the reference's order from one generator: start noise, threshold, scale; the sampler draws the
// rest. latents [1,C,h,w]: shape and device. Errors: those of Sampler::Create.
absl::StatusOr<PairItem> StartPair(uint64_t seed, const PairParams& params, const NoiseSchedule& schedule,
                                   at::IntArrayRef latents, torch::Device device);

class PairDenoiser {
 public:
  // texts [3,77,D]: the empty text, that of the first image, of the second. common_steps: the share of the
  // steps that both images take as one, towards the photo, else by the caption. reuse_maps: see
  // AttentionControl. `trials` outlives this.
  PairDenoiser(const StableDiffusion& model, const NoiseSchedule& schedule, const torch::Tensor& texts,
               PairPhoto photo, double common_steps, bool reuse_maps, BatchTrials& trials);

  // One step of every item; the items stand at the same step of `steps`. In one UNet evaluation where that
  // changes no bit of an item, else each in its own.
  void Step(std::span<PairItem> items, int steps);

 private:
  PairPhase Phase(int step, int steps) const;
  // What an item is fed: [2,C,h,w], with the photo where it must stay.
  torch::Tensor Kept(torch::Tensor denoised) const;
  // The network's outputs [4,C,h,w] float32 for each item, in the order of PairBranch.
  std::vector<torch::Tensor> Predict(std::span<const PairItem> items, const std::vector<bool>& shares,
                                     PairPhase phase);
  std::vector<torch::Tensor> PredictOneByOne(std::span<const PairItem> items, const std::vector<bool>& shares,
                                             PairPhase phase);
  // Keys and values of the texts of these rows.
  const TextContext& Texts(const std::vector<PairRow>& rows);

  const StableDiffusion& model_;
  const NoiseSchedule& schedule_;
  const PairPhoto photo_;
  const double common_steps_;
  const bool reuse_maps_;
  BatchTrials& trials_;
  TextContext texts_;                                     // of the three
  std::map<std::vector<int64_t>, TextContext> gathered_;  // by the rows' texts
};

}  // namespace ip2p
