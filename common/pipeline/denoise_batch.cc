#include "common/pipeline/denoise_batch.h"

#include "common/diffusion/denoiser.h"
#include "common/diffusion/guidance.h"
#include "common/diffusion/masked_denoiser.h"

namespace ip2p {
namespace {

// An auto mask is settled at the first evaluation below this part of the training timesteps. Above lie the
// levels at which DiffEdit (a half) and Watch Your Steps (0.8) look; below, what is edited can no longer
// move.
constexpr double kSettled = 0.5;

}  // namespace

const TextContext& DenoiseBatch::Texts(const std::vector<DenoiseItem*>& items) {
  std::vector<uint64_t> serials;
  serials.reserve(items.size());
  for (const DenoiseItem* item : items) serials.push_back(item->serial);
  if (serials != cached_serials_) {
    std::vector<torch::Tensor> rows;
    for (const DenoiseItem* item : items) {
      for (const GuidanceBranch& branch : item->job->branches) {
        rows.push_back(item->job->texts.narrow(0, branch.text ? 0 : 1, 1));
      }
    }
    UNet unet = model_.unet;
    cached_serials_.clear();
    cached_texts_ = unet->PrepareText(torch::cat(rows));
    cached_serials_ = std::move(serials);
  }
  return cached_texts_;
}

std::vector<torch::Tensor> DenoiseBatch::Evaluate(const std::vector<DenoiseItem*>& items) {
  std::vector<torch::Tensor> rows;
  std::vector<float> timesteps;
  for (const DenoiseItem* item : items) {
    const double sigma = item->sampler->sigma();
    const torch::Tensor scaled = NetworkInput(item->sampler->x(), sigma);
    const torch::Tensor& image = item->job->image_latents;
    for (const GuidanceBranch& branch : item->job->branches) {
      rows.push_back(torch::cat({scaled, branch.image ? image : torch::zeros_like(image)}, 1));
      timesteps.push_back(static_cast<float>(schedule_.SigmaToTimestep(sigma)));
    }
  }
  UNet unet = model_.unet;
  const torch::Tensor predictions = unet->forward(torch::cat(rows).to(model_.dtype),
                                                  torch::tensor(timesteps).to(model_.device), Texts(items))
                                        .to(torch::kFloat32);

  std::vector<torch::Tensor> denoised;
  int64_t row = 0;
  for (DenoiseItem* item : items) {
    const EditParams& params = item->job->order.params;
    const int64_t branches = static_cast<int64_t>(item->job->branches.size());
    const torch::Tensor own = predictions.narrow(0, row, branches);
    const torch::Tensor guided =
        Guide(own, {.text = params.cfg_text, .image = params.cfg_image}, params.auto_mask.has_value());
    denoised.push_back(
        Masked(*item, own,
               Denoised(schedule_.config().prediction, item->sampler->x(), item->sampler->sigma(), guided)));
    row += branches;
  }
  return denoised;
}

torch::Tensor DenoiseBatch::Masked(DenoiseItem& item, const torch::Tensor& predictions,
                                   torch::Tensor denoised) const {
  const EditParams& params = item.job->order.params;
  if (params.auto_mask && !item.mask.defined()) {
    const SchedulerConfig& config = schedule_.config();
    const double sigma = item.sampler->sigma();
    item.relevance.Add(config.prediction, sigma, predictions.narrow(0, 0, 1), predictions.narrow(0, 1, 1));
    const bool last = item.sampler->step() + 1 == params.steps;
    if (last || schedule_.SigmaToTimestep(sigma) < kSettled * config.num_train_timesteps) {
      item.mask = RelevantCells(item.relevance.Normalised(), *params.auto_mask);
    }
  }
  if (!item.mask.defined()) return denoised;
  return KeepOutside(item.mask, denoised, item.job->photo_latents);
}

}  // namespace ip2p
