// The UNet's attention: spatial transformers over the tokens of a feature map (diffusers' Transformer2DModel
// and BasicTransformerBlock). No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/model/layers.h"
#include "common/model/unet/attention_control.h"

namespace ip2p {

// Keys and values of every cross-attention, in forward order, for one batch of texts. They do not change
// between denoising steps, so callers compute them once a batch.
struct TextContext {
  std::vector<torch::Tensor> keys;    // [N,77,heads*d]
  std::vector<torch::Tensor> values;  // [N,77,heads*d]
};

struct TransformerConfig {
  int channels = 0;
  int heads = 0;
  int layers = 1;
  int text_width = 0;
  int groups = 32;
  bool linear_projection = false;
};

// Attention of C-wide queries over keys and values made from tokens of `source` width.
class CrossAttentionImpl : public torch::nn::Module {
 public:
  CrossAttentionImpl(int channels, int source, int heads);
  // x [N,L,C]; keys and values [N,S,C] from MakeKeys / MakeValues; residual [N,L,C] is added -> [N,L,C].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& keys, const torch::Tensor& values,
                        const torch::Tensor& residual) const;
  // Over x itself, with maps shared as `control` says.
  torch::Tensor SelfAttention(const torch::Tensor& x, const torch::Tensor& residual,
                              const AttentionControl& control) const;
  torch::Tensor MakeKeys(const torch::Tensor& source) const { return to_k_->forward(source); }
  torch::Tensor MakeValues(const torch::Tensor& source) const { return to_v_->forward(source); }

 private:
  int heads_;
  Linear to_q_, to_k_, to_v_, to_out_;
};
TORCH_MODULE(CrossAttention);

class TransformerBlockImpl : public torch::nn::Module {
 public:
  explicit TransformerBlockImpl(const TransformerConfig& config);
  // tokens [N,L,C], the block's own text keys and values [N,77,C] -> [N,L,C].
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& text_keys, const torch::Tensor& text_values,
                        const AttentionControl& control) const;
  const CrossAttention& text_attention() const { return attn2_; }

 private:
  LayerNorm norm1_;
  CrossAttention attn1_;  // over the tokens themselves
  LayerNorm norm2_;
  CrossAttention attn2_;  // over the text
  LayerNorm norm3_;
  Linear ff_in_{nullptr}, ff_out_{nullptr};
};
TORCH_MODULE(TransformerBlock);

class SpatialTransformerImpl : public torch::nn::Module {
 public:
  explicit SpatialTransformerImpl(const TransformerConfig& config);
  // x [N,C,H,W] -> the same. `next` is the index in `text` of its first block, and is moved past its last.
  torch::Tensor forward(const torch::Tensor& x, const TextContext& text, size_t& next,
                        const AttentionControl& control) const;
  size_t blocks() const { return blocks_.size(); }
  void AppendText(const torch::Tensor& text, TextContext& context) const;

 private:
  GroupNorm norm_;
  Linear linear_in_{nullptr}, linear_out_{nullptr};  // SD 2.x
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};      // SD 1.x
  std::vector<TransformerBlock> blocks_;
};
TORCH_MODULE(SpatialTransformer);

}  // namespace ip2p
