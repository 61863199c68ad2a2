// One level of the UNet's way down or up, and its middle. No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <optional>
#include <vector>

#include "common/model/resnet_block.h"
#include "common/model/unet/transformer.h"

namespace ip2p {

struct UNetLevelConfig {
  std::vector<ResnetBlockConfig> resnets;
  std::optional<TransformerConfig> attention;  // after each resnet
  bool resample = true;                        // false on the last level of a way
};

// What every block of one evaluation reads.
struct UNetInputs {
  torch::Tensor silu_temb;  // [N,time]
  const TextContext& text;
  const AttentionControl control;
  bool recompute = false;  // each resnet and transformer keeps its inputs only (recompute.h)
  size_t next_text = 0;    // index of the next cross-attention in `text`
};

class DownBlockImpl : public torch::nn::Module {
 public:
  explicit DownBlockImpl(const UNetLevelConfig& config);
  // Appends every result that the way up takes as a skip.
  torch::Tensor forward(torch::Tensor x, UNetInputs& in, std::vector<torch::Tensor>& skips) const;
  void AppendText(const torch::Tensor& text, TextContext& context) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::vector<SpatialTransformer> attentions_;
  Downsampler downsampler_{nullptr};
};
TORCH_MODULE(DownBlock);

class MidBlockImpl : public torch::nn::Module {
 public:
  MidBlockImpl(const ResnetBlockConfig& resnet, const TransformerConfig& attention);
  torch::Tensor forward(torch::Tensor x, UNetInputs& in) const;
  void AppendText(const torch::Tensor& text, TextContext& context) const {
    attention_->AppendText(text, context);
  }

 private:
  SpatialTransformer attention_;
  ResnetBlock before_{nullptr}, after_{nullptr};
};
TORCH_MODULE(MidBlock);

class UpBlockImpl : public torch::nn::Module {
 public:
  explicit UpBlockImpl(const UNetLevelConfig& config);
  // Takes its skips from the end of `skips`; grows to the size of the one then last.
  torch::Tensor forward(torch::Tensor x, UNetInputs& in, std::vector<torch::Tensor>& skips) const;
  void AppendText(const torch::Tensor& text, TextContext& context) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::vector<SpatialTransformer> attentions_;
  Upsampler upsampler_{nullptr};
};
TORCH_MODULE(UpBlock);

}  // namespace ip2p
