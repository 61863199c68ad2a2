// The denoiser's loss: text-to-image, and instruct-pix2pix (Brooks et al., arXiv 2211.09800, section 3.2; the
// reference's ddpm_edit.py). One thread.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/tokenizer/tokenizer.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"
#include "common/training/latent_cache.h"
#include "common/training/objective.h"
#include "common/training/step_random.h"

namespace ip2p {

class DiffusionObjective : public Objective {
 public:
  // FAILED_PRECONDITION when the UNet's channels do not fit the objective; the loader's errors.
  static absl::StatusOr<std::unique_ptr<DiffusionObjective>> Create(const ModelSource& model,
                                                                    const TrainConfig& config,
                                                                    const ObjectiveOptions& options);

  std::vector<LearnedParameter> Parameters() override;
  TrainBatch MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) override;
  void Prepare(TrainBatch& batch) override;
  torch::Tensor Loss(const TrainBatch& batch) override;
  absl::Status Cache(const ExampleSource& source, const AugmentConfig& augment, const std::string& folder,
                     const GoOn& go_on) override;
  bool InCache(int64_t index, int64_t choice) const override { return cache_->Has(index, choice); }

  // The loss of a prepared batch with these draws and no others.
  torch::Tensor LossOf(const TrainBatch& batch, const DiffusionDraws& draws);

  // Lets the VAE and a frozen text encoder go, and their memory: from then on batches must come prepared.
  void ForgetFrozen();

  const UNet& unet() const { return unet_; }
  const Vae& vae() const { return vae_; }

 private:
  DiffusionObjective(const TrainConfig& config, const ModelSource& model, const ObjectiveOptions& options);
  bool edits() const { return config_.objective == TrainObjective::kInstructPix2Pix; }
  torch::Tensor EncodeTexts(const torch::Tensor& ids);
  // What the UNet is to predict where the guided prediction, u + fit_guidance (p - u), is to be the target: u
  // is its prediction without the text, which gets no gradient. told [N] bool: the samples that have their
  // text; the others keep their target.
  torch::Tensor TargetOfGuidance(const torch::Tensor& input, const torch::Tensor& timesteps,
                                 const torch::Tensor& told, const torch::Tensor& target);
  // Of each example, in order; nothing for nothing.
  std::vector<std::optional<LatentCache::Row>> EncodeRows(std::vector<std::optional<Example>> examples);
  TrainBatch FromCache(std::span<const Example> examples) const;

  const TrainConfig config_;
  const ModelConfig model_;
  const ObjectiveOptions options_;
  UNet unet_{nullptr};
  Vae vae_{nullptr};
  ClipTextEncoder text_encoder_{nullptr};
  std::unique_ptr<const Tokenizer> tokenizer_;
  torch::Tensor empty_ids_;               // [1,L], the empty text
  torch::Tensor empty_text_;              // [1,L,d], what a frozen text encoder makes of it
  std::unique_ptr<LatentCache> cache_;    // null: none
  torch::Tensor root_abar_, root_noise_;  // [T] float32: sqrt(abar), sqrt(1 - abar)
  torch::Tensor min_snr_weights_;         // [T] float32: of each timestep's loss, where they are asked for
};

}  // namespace ip2p
