// The denoiser (diffusers' UNet2DConditionModel), for any number of levels.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "common/checkpoint/model_config.h"

namespace ip2p {

// Keys and values of every cross-attention, in forward order, for one batch of texts. They do not change between
// denoising steps, so callers compute them once a batch.
struct TextContext {
  std::vector<torch::Tensor> keys;    // [N,77,heads*d]
  std::vector<torch::Tensor> values;  // [N,77,heads*d]
};

class UNetImpl : public torch::nn::Module {
 public:
  explicit UNetImpl(const UNetConfig& config);
  // text [N,77,cross_attention_dim] -> the context that forward takes.
  TextContext PrepareText(const torch::Tensor& text);
  // x [N,in,h,w], timesteps [N] float (fractions allowed) -> prediction [N,out,h,w].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& timesteps, const TextContext& text);
};
TORCH_MODULE(UNet);

}  // namespace ip2p
