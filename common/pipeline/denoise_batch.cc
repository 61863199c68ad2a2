#include "common/pipeline/denoise_batch.h"

#include "common/diffusion/denoiser.h"
#include "common/diffusion/guidance.h"

namespace ip2p {

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
  for (const DenoiseItem* item : items) {
    const EditParams& params = item->job->order.params;
    const int64_t branches = static_cast<int64_t>(item->job->branches.size());
    const torch::Tensor guided =
        Guide(predictions.narrow(0, row, branches), {.text = params.cfg_text, .image = params.cfg_image});
    denoised.push_back(
        Denoised(schedule_.config().prediction, item->sampler->x(), item->sampler->sigma(), guided));
    row += branches;
  }
  return denoised;
}

}  // namespace ip2p
