// The autoencoder's loss: absolute and squared error at three scales, and a small pull of the posterior to a
// standard normal (Rombach et al., arXiv 2112.10752, section G, without its discriminator and perceptual
// net). With decoder_only the encoder stays as it is and the decoder learns from the mode of its posterior,
// noise added: a model's latents are never quite what the encoder gives. One thread.
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
                                                                      const TrainConfig& config,
                                                                      const ObjectiveOptions& options);

  std::vector<LearnedParameter> Parameters() override;
  TrainBatch MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) override;
  torch::Tensor Loss(const TrainBatch& batch) override;
  // scaling_factor: that which gives the sample's latents a spread of 1; left alone with decoder_only.
  void AdjustConfig(const TrainBatch& sample, ModelConfig& config) override;

  // images [N,3,R,R], noise [N,C,h,w] of the posterior's sample -> the loss.
  torch::Tensor LossOf(const torch::Tensor& images, const torch::Tensor& noise);
  // The same with decoder_only: `noise` is what is added, unscaled as the latents are.
  torch::Tensor DecoderLossOf(const torch::Tensor& images, const torch::Tensor& noise);

 private:
  AutoencoderObjective(const VaeConfig& vae, const TrainConfig& config, const ObjectiveOptions& options)
      : vae_config_(vae),
        decoder_only_(config.decoder_only),
        latent_noise_(config.latent_noise),
        options_(options) {}

  const VaeConfig vae_config_;
  const bool decoder_only_;
  const double latent_noise_;
  const ObjectiveOptions options_;
  Vae vae_{nullptr};
};

}  // namespace ip2p
