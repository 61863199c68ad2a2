// The KL autoencoder between pictures and latents (diffusers' AutoencoderKL).
#pragma once

#include <torch/torch.h>

#include "common/checkpoint/model_config.h"

namespace ip2p {

class VaeImpl : public torch::nn::Module {
 public:
  explicit VaeImpl(const VaeConfig& config);
  // images [N,3,H,W] in -1..1 -> posterior moments [N,2*latent,H/8,W/8]: mean, then log variance (clamped by users).
  torch::Tensor EncodeMoments(const torch::Tensor& images);
  // The mode of the posterior, unscaled: [N,latent,H/8,W/8].
  torch::Tensor EncodeMode(const torch::Tensor& images) { return EncodeMoments(images).chunk(2, 1)[0]; }
  // latents [N,latent,h,w], already divided by scaling_factor -> images [N,3,8h,8w], about -1..1.
  torch::Tensor Decode(const torch::Tensor& latents);
};
TORCH_MODULE(Vae);

}  // namespace ip2p
