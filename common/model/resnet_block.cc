// See resnet_block.h.
#include "common/model/resnet_block.h"

#include "common/model/scope.h"

namespace ip2p {

ResnetBlockImpl::ResnetBlockImpl(const ResnetBlockConfig& c)
    : norm1_(register_module("norm1", GroupNorm(c.groups, c.in, c.eps, /*silu=*/true))),
      conv1_(register_module("conv1", Conv2d(c.in, c.out, /*kernel=*/3, /*stride=*/1, /*padding=*/1))) {
  if (c.time > 0) time_emb_proj_ = register_module("time_emb_proj", Linear(c.time, c.out));
  norm2_ = register_module("norm2", GroupNorm(c.groups, c.out, c.eps, /*silu=*/true));
  conv2_ = register_module("conv2", Conv2d(c.out, c.out, /*kernel=*/3, /*stride=*/1, /*padding=*/1));
  if (c.in != c.out) conv_shortcut_ = register_module("conv_shortcut", Conv2d(c.in, c.out, /*kernel=*/1));
}

torch::Tensor ResnetBlockImpl::forward(torch::Tensor x, const torch::Tensor& silu_temb) const {
  torch::Tensor h = norm1_->forward(x);
  if (conv_shortcut_) x = conv_shortcut_->forward(x);
  h = conv1_->forward(h);
  if (time_emb_proj_)
    h = AddInto(std::move(h), time_emb_proj_->forward(silu_temb).unsqueeze(-1).unsqueeze(-1));
  h = norm2_->forward(h);
  return conv2_->ForwardAdd(h, x);
}

DownsamplerImpl::DownsamplerImpl(int channels, bool pad_all_round)
    : pad_all_round_(pad_all_round),
      conv_(register_module("conv", Conv2d(channels, channels, /*kernel=*/3, /*stride=*/2,
                                           /*padding=*/pad_all_round ? 1 : 0))) {}

torch::Tensor DownsamplerImpl::forward(torch::Tensor x) const {
  if (!pad_all_round_) x = torch::constant_pad_nd(x, {0, 1, 0, 1});
  return conv_->forward(x);
}

UpsamplerImpl::UpsamplerImpl(int channels)
    : conv_(register_module("conv", Conv2d(channels, channels, /*kernel=*/3, /*stride=*/1, /*padding=*/1))) {}

torch::Tensor UpsamplerImpl::forward(torch::Tensor x, int64_t height, int64_t width) const {
  x = torch::upsample_nearest2d(x, {height, width});
  return conv_->forward(x);
}

}  // namespace ip2p
