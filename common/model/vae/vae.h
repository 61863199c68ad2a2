// The KL autoencoder between pictures and latents (diffusers' AutoencoderKL). Its state is its weights: calls
// may run on several threads at once. Inputs are converted to the weights' type; results come in the input's
// type.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include "common/checkpoint/model_config.h"
#include "common/model/layers.h"
#include "common/model/vae/vae_coder.h"

namespace ip2p {

class VaeImpl : public torch::nn::Module {
 public:
  explicit VaeImpl(const VaeConfig& config);
  // images [N,3,H,W] in -1..1 -> posterior moments [N,2*latent,H/8,W/8]: mean, then log variance (clamped by
  // users).
  torch::Tensor EncodeMoments(const torch::Tensor& images) const;
  // The mode of the posterior, unscaled: [N,latent,H/8,W/8].
  torch::Tensor EncodeMode(const torch::Tensor& images) const { return EncodeMoments(images).chunk(2, 1)[0]; }
  // latents [N,latent,h,w], already divided by scaling_factor -> images [N,3,8h,8w], about -1..1.
  torch::Tensor Decode(const torch::Tensor& latents) const;

  // Gradient checkpointing (recompute.h): memory of training for a second forward pass. Not for inference.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  VaeEncoder encoder_;
  VaeDecoder decoder_;
  Conv2d quant_conv_, post_quant_conv_;
  bool recompute_ = false;
};
TORCH_MODULE(Vae);

}  // namespace ip2p
