// See autoencoder_objective.h.
#include "common/training/autoencoder_objective.h"

#include <cmath>

#include "common/base/status_macros.h"
#include "common/model/load_network.h"
#include "common/training/autocast.h"
#include "common/training/batch_tensors.h"
#include "common/training/step_random.h"

namespace ip2p {
namespace {

constexpr double kKlWeight = 1e-6;   // that of Stable Diffusion's autoencoder
constexpr double kSquareWeight = 4;  // pictures are in -1..1
constexpr int kScales = 3;           // full, half and quarter resolution

// Absolute errors alone would have a small object wait until the last of a large background is right; squared
// ones alone would blur edges.
torch::Tensor ErrorOf(const torch::Tensor& made, const torch::Tensor& wanted) {
  return torch::l1_loss(made, wanted) + kSquareWeight * torch::mse_loss(made, wanted);
}

torch::Tensor MultiScaleError(torch::Tensor made, torch::Tensor wanted) {
  torch::Tensor loss = ErrorOf(made, wanted);
  for (int scale = 1; scale < kScales; ++scale) {
    made = torch::avg_pool2d(made, /*kernel_size=*/2);
    wanted = torch::avg_pool2d(wanted, /*kernel_size=*/2);
    loss = loss + ErrorOf(made, wanted);
  }
  return loss;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AutoencoderObjective>> AutoencoderObjective::Create(
    const ModelSource& model, const TrainConfig& config, const ObjectiveOptions& options) {
  std::unique_ptr<AutoencoderObjective> made(new AutoencoderObjective(model.config.vae, config, options));
  const LoadOptions learns{.device = options.device, .dtype = torch::kFloat32, .pack = false};
  IP2P_ASSIGN_OR_RETURN(made->vae_,
                        LoadNetwork<Vae>(model.config.vae, model.vae, "vae", learns, Packing::kNever));
  made->vae_->set_recompute(options.recompute);
  return made;
}

std::vector<LearnedParameter> AutoencoderObjective::Parameters() {
  std::vector<LearnedParameter> all;
  AppendParameters("vae.", *vae_, options_.shadows(), all);
  if (decoder_only_) {
    std::erase_if(all, [](const LearnedParameter& parameter) {
      return parameter.name.starts_with("vae.encoder.") || parameter.name.starts_with("vae.quant_conv.");
    });
  }
  return all;
}

TrainBatch AutoencoderObjective::MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) {
  return {.seeds = std::move(seeds), .after = PictureTensor(examples, &Example::after, options_.device)};
}

void AutoencoderObjective::AdjustConfig(const TrainBatch& sample, ModelConfig& config) {
  if (decoder_only_) return;
  const torch::NoGradGuard no_grad;
  const auto moments = vae_->EncodeMoments(sample.after).chunk(2, 1);
  // The spread of what is sampled: that of the means, and the posterior's own.
  const torch::Tensor own = moments[1].clamp(-30, 20).exp().mean();
  const double variance = (moments[0].var() + own).item<double>();
  if (std::isfinite(variance) && variance > 0) config.vae.scaling_factor = 1 / std::sqrt(variance);
}

torch::Tensor AutoencoderObjective::Loss(const TrainBatch& batch) {
  const int64_t factor = vae_config_.downscale();
  const torch::Tensor noise = DrawNormal(
      batch.seeds, {vae_config_.latent_channels, batch.after.size(2) / factor, batch.after.size(3) / factor},
      options_.device);
  if (!decoder_only_) return LossOf(batch.after, noise);
  const torch::Tensor share = DrawShares(batch.seeds, options_.device).view({-1, 1, 1, 1});
  return DecoderLossOf(batch.after, share * (latent_noise_ / vae_config_.scaling_factor) * noise);
}

torch::Tensor AutoencoderObjective::DecoderLossOf(const torch::Tensor& images, const torch::Tensor& noise) {
  torch::Tensor made;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    const torch::Tensor latents = [&] {
      const torch::NoGradGuard no_grad;
      return vae_->EncodeMode(images);
    }();
    made = vae_->Decode(latents + noise);
  }
  return MultiScaleError(made, images);
}

torch::Tensor AutoencoderObjective::LossOf(const torch::Tensor& images, const torch::Tensor& noise) {
  torch::Tensor made, mean, log_variance;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    const auto moments = vae_->EncodeMoments(images).chunk(2, 1);
    mean = moments[0];
    log_variance = moments[1].clamp(-30, 20);
    const torch::Tensor z = mean + (0.5 * log_variance).exp() * noise;
    made = vae_->Decode(z);
  }
  // KL(N(mean, variance) || N(0, 1)), summed over a picture's latents.
  const torch::Tensor kl =
      0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum({1, 2, 3}).mean();
  return MultiScaleError(made, images) + kKlWeight * kl;
}

}  // namespace ip2p
