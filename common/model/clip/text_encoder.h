// CLIP text transformer (transformers' CLIPTextModel): token ids to the hidden states that condition the
// UNet. Its state is its weights: forward may run on several threads at once.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/checkpoint/model_config.h"
#include "common/model/clip/clip_layer.h"
#include "common/model/layers.h"

namespace ip2p {

// What a checkpoint names "text_model".
class ClipTextTowerImpl : public torch::nn::Module {
 public:
  explicit ClipTextTowerImpl(const TextEncoderConfig& config);
  // ids [N,L] int64, L up to max_positions -> [N,L,hidden], after the final layer norm.
  // `recompute`: each layer keeps its input only (recompute.h).
  torch::Tensor forward(const torch::Tensor& ids, bool recompute = false) const;

 private:
  EmbeddingTable token_embedding_{nullptr}, position_embedding_{nullptr};
  std::vector<ClipLayer> layers_;
  LayerNorm final_layer_norm_{nullptr};
};
TORCH_MODULE(ClipTextTower);

class ClipTextEncoderImpl : public torch::nn::Module {
 public:
  explicit ClipTextEncoderImpl(const TextEncoderConfig& config);
  torch::Tensor forward(const torch::Tensor& ids) const { return text_model_->forward(ids, recompute_); }

  // Gradient checkpointing, for training; not for inference.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  ClipTextTower text_model_;
  bool recompute_ = false;
};
TORCH_MODULE(ClipTextEncoder);

}  // namespace ip2p
