#include "common/pipeline/latent_preview.h"

#include "common/pipeline/image_tensor.h"

namespace ip2p {
namespace {

// [1,C,h,w] -> [h*w, C+1] with a column of ones.
torch::Tensor Rows(const torch::Tensor& latents) {
  torch::Tensor rows =
      latents.to(torch::kCPU, torch::kFloat32).permute({0, 2, 3, 1}).reshape({-1, latents.size(1)});
  return torch::cat({rows, torch::ones({rows.size(0), 1})}, 1);
}

}  // namespace

LatentPreview::LatentPreview(const torch::Tensor& pixels, const torch::Tensor& latents) {
  torch::Tensor small =
      at::adaptive_avg_pool2d(pixels.to(torch::kCPU, torch::kFloat32), {latents.size(2), latents.size(3)});
  torch::Tensor colours = small.permute({0, 2, 3, 1}).reshape({-1, 3});
  torch::Tensor rows = Rows(latents);
  // Ridge regression: a flat photo leaves the channels' weights undetermined, and then they should be small.
  torch::Tensor ridge = torch::eye(rows.size(1)) * (0.01 * rows.size(0));
  ridge.index_put_({-1, -1}, 0);
  map_ = at::linalg_solve(rows.t().mm(rows) + ridge, rows.t().mm(colours));
}

Image LatentPreview::Draw(const torch::Tensor& latents) const {
  torch::Tensor colours = Rows(latents).mm(map_).reshape({1, latents.size(2), latents.size(3), 3});
  return TensorToImage(colours.permute({0, 3, 1, 2}));
}

}  // namespace ip2p
