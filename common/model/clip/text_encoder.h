// CLIP text transformer (transformers' CLIPTextModel): token ids to the hidden states that condition the
// UNet. Its state is its weights: forward may run on several threads at once.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "common/checkpoint/model_config.h"
#include "common/model/layers.h"

namespace ip2p {

// Pre-norm transformer layer with causal self-attention.
class ClipLayerImpl : public torch::nn::Module {
 public:
  explicit ClipLayerImpl(const TextEncoderConfig& config);
  torch::Tensor forward(torch::Tensor x) const;  // [N,L,hidden] -> the same

 private:
  int heads_;
  bool quick_gelu_;
  LayerNorm layer_norm1_;
  Linear q_proj_{nullptr}, k_proj_{nullptr}, v_proj_{nullptr}, out_proj_{nullptr};
  LayerNorm layer_norm2_;
  Linear fc1_{nullptr}, fc2_{nullptr};
};
TORCH_MODULE(ClipLayer);

// A table of rows that ids pick from.
class EmbeddingTableImpl : public torch::nn::Module {
 public:
  EmbeddingTableImpl(int rows, int width);
  const torch::Tensor& weight() const { return weight_; }

 private:
  torch::Tensor weight_;  // [rows,width]
};
TORCH_MODULE(EmbeddingTable);

class ClipTextEncoderImpl : public torch::nn::Module {
 public:
  explicit ClipTextEncoderImpl(const TextEncoderConfig& config);
  // ids [N,L] int64, L up to max_positions -> [N,L,hidden], after the final layer norm.
  torch::Tensor forward(const torch::Tensor& ids) const;

 private:
  EmbeddingTable token_embedding_{nullptr}, position_embedding_{nullptr};
  std::vector<ClipLayer> layers_;
  LayerNorm final_layer_norm_{nullptr};
};
TORCH_MODULE(ClipTextEncoder);

}  // namespace ip2p
