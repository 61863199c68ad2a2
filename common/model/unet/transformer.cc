// See transformer.h. Feature maps are channels_last, so their tokens [N,HW,C] are a view and cost nothing.
#include "common/model/unet/transformer.h"

#include "common/model/kernels/activation.h"
#include "common/model/kernels/attention.h"
#include "common/model/scope.h"

namespace ip2p {
namespace {

constexpr double kTransformerGroupNormEps = 1e-6;
constexpr double kLayerNormEps = 1e-5;

torch::Tensor ToTokens(const torch::Tensor& map) { return map.flatten(2).transpose(1, 2); }

torch::Tensor ToMap(const torch::Tensor& tokens, int64_t height, int64_t width) {
  return tokens.transpose(1, 2).unflatten(2, {height, width});
}

}  // namespace

CrossAttentionImpl::CrossAttentionImpl(int channels, int source, int heads)
    : heads_(heads),
      to_q_(register_module("to_q", Linear(channels, channels, /*bias=*/false))),
      to_k_(register_module("to_k", Linear(source, channels, /*bias=*/false))),
      to_v_(register_module("to_v", Linear(source, channels, /*bias=*/false))),
      to_out_(register_module("to_out", Scope())->Add(0, Linear(channels, channels))) {}

torch::Tensor CrossAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& keys,
                                          const torch::Tensor& values, const torch::Tensor& residual) const {
  return to_out_->ForwardAdd(Attention(to_q_->forward(x), keys, values, heads_), residual);
}

torch::Tensor CrossAttentionImpl::SelfAttention(const torch::Tensor& x, const torch::Tensor& residual,
                                                const AttentionControl& control) const {
  const int64_t shared = control.borrowers, maps = x.size(0) - shared;
  const torch::Tensor values = to_v_->forward(x);
  if (control.reuse) {
    const torch::Tensor owners = x.narrow(0, 0, maps);
    return to_out_->ForwardAdd(
        SharedAttention(to_q_->forward(owners), to_k_->forward(owners), values, heads_), residual);
  }
  torch::Tensor queries = to_q_->forward(x), keys = to_k_->forward(x);
  for (torch::Tensor* map : {&queries, &keys}) map->narrow(0, maps, shared).copy_(map->narrow(0, 0, shared));
  return to_out_->ForwardAdd(Attention(queries, keys, values, heads_), residual);
}

TransformerBlockImpl::TransformerBlockImpl(const TransformerConfig& c)
    : norm1_(register_module("norm1", LayerNorm(c.channels, kLayerNormEps))),
      attn1_(register_module("attn1", CrossAttention(c.channels, c.channels, c.heads))),
      norm2_(register_module("norm2", LayerNorm(c.channels, kLayerNormEps))),
      attn2_(register_module("attn2", CrossAttention(c.channels, c.text_width, c.heads))),
      norm3_(register_module("norm3", LayerNorm(c.channels, kLayerNormEps))) {
  Scope net = register_module("ff", Scope())->Add("net", Scope());
  ff_in_ = net->Add(0, Scope())->Add("proj", Linear(c.channels, 8 * c.channels));  // value and gate
  ff_out_ = net->Add(2, Linear(4 * c.channels, c.channels));
}

torch::Tensor TransformerBlockImpl::forward(torch::Tensor x, const torch::Tensor& text_keys,
                                            const torch::Tensor& text_values,
                                            const AttentionControl& control) const {
  torch::Tensor h = norm1_->forward(x);
  x = control.borrowers > 0 ? attn1_->SelfAttention(h, x, control)
                            : attn1_->forward(h, attn1_->MakeKeys(h), attn1_->MakeValues(h), x);
  h = norm2_->forward(x);
  x = attn2_->forward(h, text_keys, text_values, x);
  h = norm3_->forward(x);
  h = ff_in_->forward(h);
  h = Geglu(h);
  return ff_out_->ForwardAdd(h, x);
}

SpatialTransformerImpl::SpatialTransformerImpl(const TransformerConfig& c)
    : norm_(register_module("norm", GroupNorm(c.groups, c.channels, kTransformerGroupNormEps))) {
  if (c.linear_projection) {
    linear_in_ = register_module("proj_in", Linear(c.channels, c.channels));
  } else {
    conv_in_ = register_module("proj_in", Conv2d(c.channels, c.channels, /*kernel=*/1));
  }
  Scope blocks = register_module("transformer_blocks", Scope());
  for (int i = 0; i < c.layers; ++i) blocks_.push_back(blocks->Add(i, TransformerBlock(c)));
  if (c.linear_projection) {
    linear_out_ = register_module("proj_out", Linear(c.channels, c.channels));
  } else {
    conv_out_ = register_module("proj_out", Conv2d(c.channels, c.channels, /*kernel=*/1));
  }
}

torch::Tensor SpatialTransformerImpl::forward(const torch::Tensor& x, const TextContext& text, size_t& next,
                                              const AttentionControl& control) const {
  const int64_t height = x.size(2), width = x.size(3);
  torch::Tensor h = norm_->forward(x);
  h = linear_in_ ? linear_in_->forward(ToTokens(h)) : ToTokens(conv_in_->forward(h));
  for (const TransformerBlock& block : blocks_) {
    h = block->forward(std::move(h), text.keys[next], text.values[next], control);
    ++next;
  }
  if (linear_out_) return ToMap(linear_out_->ForwardAdd(h, ToTokens(x)), height, width);
  return conv_out_->ForwardAdd(ToMap(h, height, width), x);
}

void SpatialTransformerImpl::AppendText(const torch::Tensor& text, TextContext& context) const {
  for (const TransformerBlock& block : blocks_) {
    context.keys.push_back(block->text_attention()->MakeKeys(text));
    context.values.push_back(block->text_attention()->MakeValues(text));
  }
}

}  // namespace ip2p
