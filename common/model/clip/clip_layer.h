// The transformer layer and the tables that both towers of CLIP are made of (transformers' CLIPEncoderLayer).
// No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/model/layers.h"
#include "common/model/scope.h"

namespace ip2p {

struct ClipLayerConfig {
  int hidden = 0;
  int intermediate = 0;
  int heads = 0;
  bool quick_gelu = true;  // false: exact gelu
  double eps = 1e-5;
  bool causal = false;  // the text tower's places see no later ones
};

// Pre-norm self-attention and MLP.
class ClipLayerImpl : public torch::nn::Module {
 public:
  explicit ClipLayerImpl(const ClipLayerConfig& config);
  torch::Tensor forward(torch::Tensor x) const;  // [N,L,hidden] -> the same

 private:
  int heads_;
  bool quick_gelu_, causal_;
  LayerNorm layer_norm1_;
  Linear q_proj_{nullptr}, k_proj_{nullptr}, v_proj_{nullptr}, out_proj_{nullptr};
  LayerNorm layer_norm2_;
  Linear fc1_{nullptr}, fc2_{nullptr};
};
TORCH_MODULE(ClipLayer);

// Registers `count` layers as PARENT.encoder.layers.0, .1, ...
std::vector<ClipLayer> AddClipLayers(torch::nn::Module& parent, int count, const ClipLayerConfig& config);

// A table of rows that ids or places pick from.
class EmbeddingTableImpl : public torch::nn::Module {
 public:
  EmbeddingTableImpl(int rows, int width);
  const torch::Tensor& weight() const { return weight_; }

 private:
  torch::Tensor weight_;  // [rows,width]
};
TORCH_MODULE(EmbeddingTable);

}  // namespace ip2p
