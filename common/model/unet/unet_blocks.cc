// See unet_blocks.h.
#include "common/model/unet/unet_blocks.h"

#include "common/model/recompute.h"
#include "common/model/scope.h"

namespace ip2p {
namespace {

// [N,a,H,W] and [N,b,H,W] -> [N,a+b,H,W]. Joined as channels_last rows, which torch copies fastest.
torch::Tensor JoinChannels(const torch::Tensor& x, const torch::Tensor& skip) {
  return torch::cat({x.permute({0, 2, 3, 1}), skip.permute({0, 2, 3, 1})}, -1).permute({0, 3, 1, 2});
}

void RegisterLevel(torch::nn::Module& block, const UNetLevelConfig& c, std::vector<ResnetBlock>& resnets,
                   std::vector<SpatialTransformer>& attentions) {
  if (c.attention) {
    Scope scope = block.register_module("attentions", Scope());
    for (size_t i = 0; i < c.resnets.size(); ++i)
      attentions.push_back(scope->Add(i, SpatialTransformer(*c.attention)));
  }
  Scope scope = block.register_module("resnets", Scope());
  for (size_t i = 0; i < c.resnets.size(); ++i) resnets.push_back(scope->Add(i, ResnetBlock(c.resnets[i])));
}

torch::Tensor RunResnet(const ResnetBlock& resnet, torch::Tensor x, const UNetInputs& in) {
  if (!in.recompute) return resnet->forward(std::move(x), in.silu_temb);
  return Recompute([resnet](const std::vector<torch::Tensor>& i) { return resnet->forward(i[0], i[1]); },
                   {std::move(x), in.silu_temb});
}

torch::Tensor RunAttention(const SpatialTransformer& attention, const torch::Tensor& x, UNetInputs& in) {
  if (!in.recompute) return attention->forward(x, in.text, in.next_text, in.control);
  const size_t blocks = attention->blocks(), first = in.next_text;
  in.next_text += blocks;
  std::vector<torch::Tensor> inputs = {x};
  for (const auto* tensors : {&in.text.keys, &in.text.values})
    inputs.insert(inputs.end(), tensors->begin() + first, tensors->begin() + first + blocks);
  const auto segment = [attention, blocks, control = in.control](const std::vector<torch::Tensor>& i) {
    const auto keys = i.begin() + 1, values = keys + blocks;
    const TextContext text{.keys = {keys, values}, .values = {values, i.end()}};
    size_t next = 0;
    return attention->forward(i[0], text, next, control);
  };
  return Recompute(segment, std::move(inputs));
}

}  // namespace

DownBlockImpl::DownBlockImpl(const UNetLevelConfig& c) {
  RegisterLevel(*this, c, resnets_, attentions_);
  if (!c.resample) return;
  Scope scope = register_module("downsamplers", Scope());
  downsampler_ = scope->Add(0, Downsampler(c.resnets.back().out, /*pad_all_round=*/true));
}

torch::Tensor DownBlockImpl::forward(torch::Tensor x, UNetInputs& in,
                                     std::vector<torch::Tensor>& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = RunResnet(resnets_[i], std::move(x), in);
    if (!attentions_.empty()) x = RunAttention(attentions_[i], x, in);
    skips.push_back(x);
  }
  if (downsampler_) {
    x = downsampler_->forward(std::move(x));
    skips.push_back(x);
  }
  return x;
}

void DownBlockImpl::AppendText(const torch::Tensor& text, TextContext& context) const {
  for (const SpatialTransformer& attention : attentions_) attention->AppendText(text, context);
}

MidBlockImpl::MidBlockImpl(const ResnetBlockConfig& resnet, const TransformerConfig& attention)
    : attention_(register_module("attentions", Scope())->Add(0, SpatialTransformer(attention))) {
  Scope scope = register_module("resnets", Scope());
  before_ = scope->Add(0, ResnetBlock(resnet));
  after_ = scope->Add(1, ResnetBlock(resnet));
}

torch::Tensor MidBlockImpl::forward(torch::Tensor x, UNetInputs& in) const {
  x = RunResnet(before_, std::move(x), in);
  x = RunAttention(attention_, x, in);
  return RunResnet(after_, std::move(x), in);
}

UpBlockImpl::UpBlockImpl(const UNetLevelConfig& c) {
  RegisterLevel(*this, c, resnets_, attentions_);
  if (c.resample)
    upsampler_ =
        register_module("upsamplers", Scope())->Add(0, Upsampler(c.resnets.back().out, /*doubles=*/false));
}

torch::Tensor UpBlockImpl::forward(torch::Tensor x, UNetInputs& in, std::vector<torch::Tensor>& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = JoinChannels(x, skips.back());
    skips.pop_back();
    x = RunResnet(resnets_[i], std::move(x), in);
    if (!attentions_.empty()) x = RunAttention(attentions_[i], x, in);
  }
  return upsampler_ ? upsampler_->forward(std::move(x), skips.back().size(2), skips.back().size(3)) : x;
}

void UpBlockImpl::AppendText(const torch::Tensor& text, TextContext& context) const {
  for (const SpatialTransformer& attention : attentions_) attention->AppendText(text, context);
}

}  // namespace ip2p
