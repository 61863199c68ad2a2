// See text_encoder.h.
#include "common/model/clip/text_encoder.h"

#include "common/model/recompute.h"

namespace ip2p {

ClipTextTowerImpl::ClipTextTowerImpl(const TextEncoderConfig& c) {
  Scope embeddings = register_module("embeddings", Scope());
  token_embedding_ = embeddings->Add("token_embedding", EmbeddingTable(c.vocab_size, c.hidden_size));
  position_embedding_ = embeddings->Add("position_embedding", EmbeddingTable(c.max_positions, c.hidden_size));
  layers_ = AddClipLayers(*this, c.num_layers,
                          {.hidden = c.hidden_size,
                           .intermediate = c.intermediate_size,
                           .heads = c.num_heads,
                           .quick_gelu = c.quick_gelu,
                           .eps = c.layer_norm_eps,
                           .causal = true});
  final_layer_norm_ = register_module("final_layer_norm", LayerNorm(c.hidden_size, c.layer_norm_eps));
}

torch::Tensor ClipTextTowerImpl::forward(const torch::Tensor& ids, bool recompute) const {
  torch::Tensor x = torch::embedding(token_embedding_->weight(), ids) +
                    position_embedding_->weight().narrow(0, 0, ids.size(1));
  for (const ClipLayer& layer : layers_) x = RunLayer(layer, std::move(x), recompute);
  return final_layer_norm_->forward(x);
}

ClipTextEncoderImpl::ClipTextEncoderImpl(const TextEncoderConfig& c)
    : text_model_(register_module("text_model", ClipTextTower(c))) {}

}  // namespace ip2p
