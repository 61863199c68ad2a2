// See vision_tower.h.
#include "common/model/clip/vision_tower.h"

#include "common/model/recompute.h"

namespace ip2p {

PatchEmbeddingImpl::PatchEmbeddingImpl(int patch_size, int hidden)
    : weight_(register_parameter("weight", torch::empty({hidden, 3, patch_size, patch_size}))) {}

torch::Tensor PatchEmbeddingImpl::forward(const torch::Tensor& images) const {
  return torch::conv2d(images, weight_, /*bias=*/{}, /*stride=*/weight_.size(2)).flatten(2).transpose(1, 2);
}

ClipVisionEmbeddingsImpl::ClipVisionEmbeddingsImpl(const ClipVisionConfig& c)
    : class_embedding_(register_parameter("class_embedding", torch::empty({c.hidden_size}))),
      patch_embedding_(register_module("patch_embedding", PatchEmbedding(c.patch_size, c.hidden_size))),
      position_embedding_(
          register_module("position_embedding", EmbeddingTable(c.patches() + 1, c.hidden_size))) {}

torch::Tensor ClipVisionEmbeddingsImpl::forward(const torch::Tensor& images) const {
  const torch::Tensor patches = patch_embedding_->forward(images);
  const torch::Tensor first = class_embedding_.expand({images.size(0), 1, -1});
  return torch::cat({first, patches}, /*dim=*/1) + position_embedding_->weight();
}

ClipVisionTowerImpl::ClipVisionTowerImpl(const ClipVisionConfig& c)
    : embeddings_(register_module("embeddings", ClipVisionEmbeddings(c))),
      pre_norm_(register_module("pre_layrnorm", LayerNorm(c.hidden_size, c.layer_norm_eps))),
      layers_(AddClipLayers(*this, c.num_layers,
                            {.hidden = c.hidden_size,
                             .intermediate = c.intermediate_size,
                             .heads = c.num_heads,
                             .quick_gelu = c.quick_gelu,
                             .eps = c.layer_norm_eps})),
      post_norm_(register_module("post_layernorm", LayerNorm(c.hidden_size, c.layer_norm_eps))) {}

torch::Tensor ClipVisionTowerImpl::forward(const torch::Tensor& images, bool recompute) const {
  torch::Tensor x = pre_norm_->forward(embeddings_->forward(images));
  for (const ClipLayer& layer : layers_) x = RunLayer(layer, std::move(x), recompute);
  return post_norm_->forward(x.select(/*dim=*/1, /*index=*/0));
}

}  // namespace ip2p
