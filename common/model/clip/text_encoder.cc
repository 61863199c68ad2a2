// See text_encoder.h.
#include "common/model/clip/text_encoder.h"

#include "common/model/kernels/attention.h"
#include "common/model/scope.h"

namespace ip2p {

ClipLayerImpl::ClipLayerImpl(const TextEncoderConfig& c)
    : heads_(c.num_heads),
      quick_gelu_(c.quick_gelu),
      layer_norm1_(register_module("layer_norm1", LayerNorm(c.hidden_size, c.layer_norm_eps))),
      layer_norm2_(nullptr) {
  Scope attention = register_module("self_attn", Scope());
  q_proj_ = attention->Add("q_proj", Linear(c.hidden_size, c.hidden_size));
  k_proj_ = attention->Add("k_proj", Linear(c.hidden_size, c.hidden_size));
  v_proj_ = attention->Add("v_proj", Linear(c.hidden_size, c.hidden_size));
  out_proj_ = attention->Add("out_proj", Linear(c.hidden_size, c.hidden_size));
  layer_norm2_ = register_module("layer_norm2", LayerNorm(c.hidden_size, c.layer_norm_eps));
  Scope mlp = register_module("mlp", Scope());
  fc1_ = mlp->Add("fc1", Linear(c.hidden_size, c.intermediate_size));
  fc2_ = mlp->Add("fc2", Linear(c.intermediate_size, c.hidden_size));
}

torch::Tensor ClipLayerImpl::forward(torch::Tensor x) const {
  torch::Tensor h = layer_norm1_->forward(x);
  h = Attention(q_proj_->forward(h), k_proj_->forward(h), v_proj_->forward(h), heads_, /*causal=*/true);
  x = out_proj_->ForwardAdd(h, x);
  h = fc1_->forward(layer_norm2_->forward(x));
  h = quick_gelu_ ? h * torch::sigmoid(1.702 * h) : torch::gelu(h);
  return fc2_->ForwardAdd(h, x);
}

EmbeddingTableImpl::EmbeddingTableImpl(int rows, int width)
    : weight_(register_parameter("weight", torch::empty({rows, width}))) {}

ClipTextEncoderImpl::ClipTextEncoderImpl(const TextEncoderConfig& c) {
  Scope model = register_module("text_model", Scope());
  Scope embeddings = model->Add("embeddings", Scope());
  token_embedding_ = embeddings->Add("token_embedding", EmbeddingTable(c.vocab_size, c.hidden_size));
  position_embedding_ = embeddings->Add("position_embedding", EmbeddingTable(c.max_positions, c.hidden_size));
  Scope layers = model->Add("encoder", Scope())->Add("layers", Scope());
  for (int i = 0; i < c.num_layers; ++i) layers_.push_back(layers->Add(i, ClipLayer(c)));
  final_layer_norm_ = model->Add("final_layer_norm", LayerNorm(c.hidden_size, c.layer_norm_eps));
}

torch::Tensor ClipTextEncoderImpl::forward(const torch::Tensor& ids) const {
  torch::Tensor x = torch::embedding(token_embedding_->weight(), ids) +
                    position_embedding_->weight().narrow(0, 0, ids.size(1));
  for (const ClipLayer& layer : layers_) x = layer->forward(std::move(x));
  return final_layer_norm_->forward(x);
}

}  // namespace ip2p
