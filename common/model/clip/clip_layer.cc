// See clip_layer.h.
#include "common/model/clip/clip_layer.h"

#include "common/model/kernels/attention.h"

namespace ip2p {

ClipLayerImpl::ClipLayerImpl(const ClipLayerConfig& c)
    : heads_(c.heads),
      quick_gelu_(c.quick_gelu),
      causal_(c.causal),
      layer_norm1_(register_module("layer_norm1", LayerNorm(c.hidden, c.eps))),
      layer_norm2_(nullptr) {
  Scope attention = register_module("self_attn", Scope());
  q_proj_ = attention->Add("q_proj", Linear(c.hidden, c.hidden));
  k_proj_ = attention->Add("k_proj", Linear(c.hidden, c.hidden));
  v_proj_ = attention->Add("v_proj", Linear(c.hidden, c.hidden));
  out_proj_ = attention->Add("out_proj", Linear(c.hidden, c.hidden));
  layer_norm2_ = register_module("layer_norm2", LayerNorm(c.hidden, c.eps));
  Scope mlp = register_module("mlp", Scope());
  fc1_ = mlp->Add("fc1", Linear(c.hidden, c.intermediate));
  fc2_ = mlp->Add("fc2", Linear(c.intermediate, c.hidden));
}

torch::Tensor ClipLayerImpl::forward(torch::Tensor x) const {
  torch::Tensor h = layer_norm1_->forward(x);
  h = Attention(q_proj_->forward(h), k_proj_->forward(h), v_proj_->forward(h), heads_, causal_);
  x = out_proj_->ForwardAdd(h, x);
  h = fc1_->forward(layer_norm2_->forward(x));
  h = quick_gelu_ ? h * torch::sigmoid(1.702 * h) : torch::gelu(h);
  return fc2_->ForwardAdd(h, x);
}

std::vector<ClipLayer> AddClipLayers(torch::nn::Module& parent, int count, const ClipLayerConfig& config) {
  Scope layers = parent.register_module("encoder", Scope())->Add("layers", Scope());
  std::vector<ClipLayer> added;
  added.reserve(count);
  for (int i = 0; i < count; ++i) added.push_back(layers->Add(i, ClipLayer(config)));
  return added;
}

EmbeddingTableImpl::EmbeddingTableImpl(int rows, int width)
    : weight_(register_parameter("weight", torch::empty({rows, width}))) {}

}  // namespace ip2p
