// CLIP vision transformer (Radford et al., arXiv 2103.00020; transformers' CLIPVisionTransformer): a picture
// to one vector. No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/checkpoint/clip_config.h"
#include "common/model/clip/clip_layer.h"
#include "common/model/layers.h"

namespace ip2p {

// Square patches to vectors; the checkpoint has no bias for them.
class PatchEmbeddingImpl : public torch::nn::Module {
 public:
  PatchEmbeddingImpl(int patch_size, int hidden);
  torch::Tensor forward(const torch::Tensor& images) const;  // [N,3,S,S] -> [N,patches,hidden]

 private:
  torch::Tensor weight_;  // [hidden,3,patch,patch]
};
TORCH_MODULE(PatchEmbedding);

// A vector of its own, the class, goes before the patches; each place has its vector added.
class ClipVisionEmbeddingsImpl : public torch::nn::Module {
 public:
  explicit ClipVisionEmbeddingsImpl(const ClipVisionConfig& config);
  torch::Tensor forward(const torch::Tensor& images) const;  // [N,3,S,S] -> [N,1+patches,hidden]

 private:
  torch::Tensor class_embedding_;  // [hidden]
  PatchEmbedding patch_embedding_;
  EmbeddingTable position_embedding_;
};
TORCH_MODULE(ClipVisionEmbeddings);

// What a checkpoint names "vision_model".
class ClipVisionTowerImpl : public torch::nn::Module {
 public:
  explicit ClipVisionTowerImpl(const ClipVisionConfig& config);
  // images [N,3,image_size,image_size], normalised, in the weights' type -> [N,hidden]: the class's state,
  // after the last layer norm. `recompute`: each layer keeps its input only (recompute.h).
  torch::Tensor forward(const torch::Tensor& images, bool recompute = false) const;

 private:
  ClipVisionEmbeddings embeddings_;
  LayerNorm pre_norm_;
  std::vector<ClipLayer> layers_;
  LayerNorm post_norm_;
};
TORCH_MODULE(ClipVisionTower);

}  // namespace ip2p
