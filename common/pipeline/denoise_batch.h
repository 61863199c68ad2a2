// One UNet evaluation for many edits: stacks their guidance branches, predicts, guides, feeds each sampler.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "common/diffusion/noise_schedule.h"
#include "common/model/stable_diffusion.h"
#include "common/pipeline/edit_job.h"

namespace ip2p {

class DenoiseBatch {
 public:
  DenoiseBatch(const StableDiffusion& model, const NoiseSchedule& schedule)
      : model_(model), schedule_(schedule) {}

  // Evaluates what each sampler waits for. Items share one latent size. Returns the guided estimates of x0,
  // one an item, [1,C,h,w] float32: outside of an item's mask the photo's latents. Throws what torch throws;
  // then no item has changed but in its relevance.
  std::vector<torch::Tensor> Evaluate(const std::vector<DenoiseItem*>& items);

 private:
  // What may change of an item's estimate, if it is masked; learns from its predictions [B,C,h,w] what that
  // is.
  torch::Tensor Masked(DenoiseItem& item, const torch::Tensor& predictions, torch::Tensor denoised) const;
  // The texts of these items' branches; kept while the same items come again.
  const TextContext& Texts(const std::vector<DenoiseItem*>& items);

  const StableDiffusion& model_;
  const NoiseSchedule& schedule_;
  std::vector<uint64_t> cached_serials_;
  TextContext cached_texts_;
};

}  // namespace ip2p
