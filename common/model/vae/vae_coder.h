// The two halves of the autoencoder (diffusers' Encoder and Decoder of AutoencoderKL) and their attention.
// No state besides weights; thread-safe once loaded. A picture's activations are large, so tensors are moved
// from call to call and freed as early as they can be. With `recompute` each resnet and attention keeps its
// input only (recompute.h).
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/checkpoint/model_config.h"
#include "common/model/layers.h"
#include "common/model/resnet_block.h"

namespace ip2p {

// Self-attention of one head over all positions.
class VaeAttentionImpl : public torch::nn::Module {
 public:
  VaeAttentionImpl(int channels, int groups);
  torch::Tensor forward(const torch::Tensor& x) const;  // [N,C,H,W] -> the same

 private:
  GroupNorm group_norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
};
TORCH_MODULE(VaeAttention);

class VaeMidBlockImpl : public torch::nn::Module {
 public:
  VaeMidBlockImpl(int channels, const VaeConfig& config);
  torch::Tensor forward(torch::Tensor x, bool recompute = false) const;

 private:
  VaeAttention attention_{nullptr};
  ResnetBlock before_{nullptr}, after_{nullptr};
};
TORCH_MODULE(VaeMidBlock);

// Resnets of one resolution, then a change of resolution except at the last level.
class VaeLevelImpl : public torch::nn::Module {
 public:
  enum class Resample { kNone, kDown, kUp };
  VaeLevelImpl(int in, int out, int layers, Resample resample, const VaeConfig& config);
  torch::Tensor forward(torch::Tensor x, bool recompute = false) const;

 private:
  std::vector<ResnetBlock> resnets_;
  Downsampler downsampler_{nullptr};
  Upsampler upsampler_{nullptr};
};
TORCH_MODULE(VaeLevel);

class VaeEncoderImpl : public torch::nn::Module {
 public:
  explicit VaeEncoderImpl(const VaeConfig& config);
  torch::Tensor forward(torch::Tensor x, bool recompute = false) const;  // [N,3,H,W] -> [N,2*latent,H/8,W/8]

 private:
  Conv2d conv_in_;
  std::vector<VaeLevel> down_;
  VaeMidBlock mid_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
  Conv2d conv_out_{nullptr};
};
TORCH_MODULE(VaeEncoder);

class VaeDecoderImpl : public torch::nn::Module {
 public:
  explicit VaeDecoderImpl(const VaeConfig& config);
  torch::Tensor forward(torch::Tensor x, bool recompute = false) const;  // [N,latent,h,w] -> [N,3,8h,8w]

 private:
  Conv2d conv_in_;
  VaeMidBlock mid_;
  std::vector<VaeLevel> up_;
  GroupNorm conv_norm_out_{nullptr};
  Conv2d conv_out_{nullptr};
};
TORCH_MODULE(VaeDecoder);

}  // namespace ip2p
