#include "common/diffusion/masked_denoiser.h"

namespace ip2p {

torch::Tensor KeepOutside(const torch::Tensor& mask, const torch::Tensor& denoised,
                          const torch::Tensor& original) {
  return torch::where(mask, denoised, original);
}

}  // namespace ip2p
