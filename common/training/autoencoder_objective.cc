// See autoencoder_objective.h.
#include "common/training/autoencoder_objective.h"

#include "common/base/status_macros.h"
#include "common/model/load_network.h"
#include "common/training/autocast.h"
#include "common/training/batch_tensors.h"
#include "common/training/step_random.h"

namespace ip2p {
namespace {

constexpr double kKlWeight = 1e-6;  // that of Stable Diffusion's autoencoder
constexpr int kScales = 3;          // full, half and quarter resolution

torch::Tensor MultiScaleL1(torch::Tensor made, torch::Tensor wanted) {
  torch::Tensor loss = torch::l1_loss(made, wanted);
  for (int scale = 1; scale < kScales; ++scale) {
    made = torch::avg_pool2d(made, /*kernel_size=*/2);
    wanted = torch::avg_pool2d(wanted, /*kernel_size=*/2);
    loss = loss + torch::l1_loss(made, wanted);
  }
  return loss;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AutoencoderObjective>> AutoencoderObjective::Create(
    const ModelSource& model, const ObjectiveOptions& options) {
  std::unique_ptr<AutoencoderObjective> made(new AutoencoderObjective(model.config.vae, options));
  const LoadOptions learns{.device = options.device, .dtype = torch::kFloat32, .pack = false};
  IP2P_ASSIGN_OR_RETURN(made->vae_,
                        LoadNetwork<Vae>(model.config.vae, model.vae, "vae", learns, Packing::kNever));
  return made;
}

std::vector<std::pair<std::string, torch::Tensor>> AutoencoderObjective::Parameters() {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  AppendParameters("vae.", *vae_, all);
  return all;
}

TrainBatch AutoencoderObjective::MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) {
  return {.seeds = std::move(seeds), .after = PictureTensor(examples, &Example::after, options_.device)};
}

void AutoencoderObjective::AdjustConfig(ModelConfig& config) const {
  const double spread = spread_.defined() ? spread_.item<double>() : 0;
  if (spread > 0) config.vae.scaling_factor = 1 / spread;
}

torch::Tensor AutoencoderObjective::Loss(const TrainBatch& batch) {
  const int64_t factor = config_.downscale();
  return LossOf(batch.after, DrawNormal(batch.seeds,
                                        {config_.latent_channels, batch.after.size(2) / factor,
                                         batch.after.size(3) / factor},
                                        options_.device));
}

torch::Tensor AutoencoderObjective::LossOf(const torch::Tensor& images, const torch::Tensor& noise) {
  torch::Tensor made, mean, log_variance;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    const auto moments = vae_->EncodeMoments(images).chunk(2, 1);
    mean = moments[0];
    log_variance = moments[1].clamp(-30, 20);
    const torch::Tensor z = mean + (0.5 * log_variance).exp() * noise;
    if (torch::GradMode::is_enabled()) spread_ = z.detach().to(torch::kFloat32).std();
    made = vae_->Decode(z);
  }
  // KL(N(mean, variance) || N(0, 1)), summed over a picture's latents.
  const torch::Tensor kl =
      0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum({1, 2, 3}).mean();
  return MultiScaleL1(made, images) + kKlWeight * kl;
}

}  // namespace ip2p
