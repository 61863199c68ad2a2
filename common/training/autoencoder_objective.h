// The autoencoder's loss: absolute and squared error at three scales, and a small pull of the posterior to a
// standard normal (Rombach et al., arXiv 2112.10752, section G, without its discriminator and perceptual
// net). One thread.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"
#include "common/model/vae/vae.h"
#include "common/training/objective.h"

namespace ip2p {

class AutoencoderObjective : public Objective {
 public:
  static absl::StatusOr<std::unique_ptr<AutoencoderObjective>> Create(const ModelSource& model,
                                                                      const ObjectiveOptions& options);

  std::vector<LearnedParameter> Parameters() override;
  TrainBatch MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) override;
  torch::Tensor Loss(const TrainBatch& batch) override;
  // scaling_factor: that which gives the sample's latents a spread of 1.
  void AdjustConfig(const TrainBatch& sample, ModelConfig& config) override;

  // images [N,3,R,R], noise [N,C,h,w] of the posterior's sample -> the loss.
  torch::Tensor LossOf(const torch::Tensor& images, const torch::Tensor& noise);

 private:
  AutoencoderObjective(const VaeConfig& config, const ObjectiveOptions& options)
      : config_(config), options_(options) {}

  const VaeConfig config_;
  const ObjectiveOptions options_;
  Vae vae_{nullptr};
};

}  // namespace ip2p
