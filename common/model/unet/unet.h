// The denoiser (diffusers' UNet2DConditionModel), for any number of levels. Its state is its weights: forward
// may run on several threads at once.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/checkpoint/model_config.h"
#include "common/model/unet/unet_blocks.h"

namespace ip2p {

class UNetImpl : public torch::nn::Module {
 public:
  explicit UNetImpl(const UNetConfig& config);
  // text [N,77,cross_attention_dim] -> the context that forward takes.
  TextContext PrepareText(const torch::Tensor& text) const;
  // x [N,in,h,w], timesteps [N] float (fractions allowed) -> prediction [N,out,h,w] in x's type. Any h and w
  // that survive the halvings; x is converted to the weights' type inside. `control`: see its header.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& timesteps, const TextContext& text,
                        const AttentionControl& control = {}) const;
  // Gradient checkpointing (recompute.h): memory of training for a second forward pass. Not for inference.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  // timesteps [N] -> silu of the time embedding [N,4*block_out_channels[0]], in the weights' type.
  torch::Tensor EmbedTime(const torch::Tensor& timesteps) const;

  UNetConfig config_;
  bool recompute_ = false;
  Conv2d conv_in_;
  Linear time_linear_1_{nullptr}, time_linear_2_{nullptr};
  std::vector<DownBlock> down_;
  MidBlock mid_{nullptr};
  std::vector<UpBlock> up_;
  GroupNorm conv_norm_out_{nullptr};
  Conv2d conv_out_{nullptr};
};
TORCH_MODULE(UNet);

}  // namespace ip2p
