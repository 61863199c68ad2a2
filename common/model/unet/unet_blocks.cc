// See unet_blocks.h.
#include "common/model/unet/unet_blocks.h"

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
    x = resnets_[i]->forward(std::move(x), in.silu_temb);
    if (!attentions_.empty()) x = attentions_[i]->forward(x, in.text, in.next_text, in.control);
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
  x = before_->forward(std::move(x), in.silu_temb);
  x = attention_->forward(x, in.text, in.next_text, in.control);
  return after_->forward(std::move(x), in.silu_temb);
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
    x = resnets_[i]->forward(std::move(x), in.silu_temb);
    if (!attentions_.empty()) x = attentions_[i]->forward(x, in.text, in.next_text, in.control);
  }
  return upsampler_ ? upsampler_->forward(std::move(x), skips.back().size(2), skips.back().size(3)) : x;
}

void UpBlockImpl::AppendText(const torch::Tensor& text, TextContext& context) const {
  for (const SpatialTransformer& attention : attentions_) attention->AppendText(text, context);
}

}  // namespace ip2p
