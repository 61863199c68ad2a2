// See vae_coder.h.
#include "common/model/vae/vae_coder.h"

#include "common/model/kernels/attention.h"
#include "common/model/recompute.h"
#include "common/model/scope.h"

namespace ip2p {
namespace {

constexpr double kEps = 1e-6;  // every group norm of the autoencoder

ResnetBlockConfig Resnet(int in, int out, const VaeConfig& c) {
  return {.in = in, .out = out, .time = 0, .groups = c.norm_num_groups, .eps = kEps};
}

Conv2d Conv3x3(int in, int out) { return Conv2d(in, out, /*kernel=*/3, /*stride=*/1, /*padding=*/1); }

}  // namespace

VaeAttentionImpl::VaeAttentionImpl(int channels, int groups)
    : group_norm_(register_module("group_norm", GroupNorm(groups, channels, kEps))),
      to_q_(register_module("to_q", Linear(channels, channels))),
      to_k_(register_module("to_k", Linear(channels, channels))),
      to_v_(register_module("to_v", Linear(channels, channels))),
      to_out_(register_module("to_out", Scope())->Add(0, Linear(channels, channels))) {}

torch::Tensor VaeAttentionImpl::forward(const torch::Tensor& x) const {
  torch::Tensor h = group_norm_->forward(x).flatten(2).transpose(1, 2);  // tokens [N,HW,C]
  h = Attention(to_q_->forward(h), to_k_->forward(h), to_v_->forward(h), /*heads=*/1);
  h = to_out_->ForwardAdd(h, x.flatten(2).transpose(1, 2));
  return h.transpose(1, 2).unflatten(2, {x.size(2), x.size(3)});
}

VaeMidBlockImpl::VaeMidBlockImpl(int channels, const VaeConfig& c) {
  Scope resnets = register_module("resnets", Scope());
  before_ = resnets->Add(0, ResnetBlock(Resnet(channels, channels, c)));
  if (c.mid_block_attention) {
    attention_ = register_module("attentions", Scope())->Add(0, VaeAttention(channels, c.norm_num_groups));
  }
  after_ = resnets->Add(1, ResnetBlock(Resnet(channels, channels, c)));
}

torch::Tensor VaeMidBlockImpl::forward(torch::Tensor x, bool recompute) const {
  x = RunLayer(before_, std::move(x), recompute);
  if (attention_) x = RunLayer(attention_, std::move(x), recompute);
  return RunLayer(after_, std::move(x), recompute);
}

VaeLevelImpl::VaeLevelImpl(int in, int out, int layers, Resample resample, const VaeConfig& c) {
  Scope resnets = register_module("resnets", Scope());
  for (int i = 0; i < layers; ++i) {
    resnets_.push_back(resnets->Add(i, ResnetBlock(Resnet(i == 0 ? in : out, out, c))));
  }
  if (resample == Resample::kDown) {
    downsampler_ =
        register_module("downsamplers", Scope())->Add(0, Downsampler(out, /*pad_all_round=*/false));
  } else if (resample == Resample::kUp) {
    upsampler_ = register_module("upsamplers", Scope())->Add(0, Upsampler(out, /*doubles=*/true));
  }
}

torch::Tensor VaeLevelImpl::forward(torch::Tensor x, bool recompute) const {
  for (const ResnetBlock& resnet : resnets_) x = RunLayer(resnet, std::move(x), recompute);
  if (downsampler_) return downsampler_->forward(std::move(x));
  if (upsampler_) {
    const int64_t height = 2 * x.size(2), width = 2 * x.size(3);
    return upsampler_->forward(std::move(x), height, width);
  }
  return x;
}

VaeEncoderImpl::VaeEncoderImpl(const VaeConfig& c)
    : conv_in_(register_module("conv_in", Conv3x3(c.in_channels, c.block_out_channels.at(0)))) {
  const std::vector<int>& width = c.block_out_channels;
  const size_t levels = width.size();
  Scope down = register_module("down_blocks", Scope());
  for (size_t i = 0; i < levels; ++i) {
    const auto resample = i + 1 < levels ? VaeLevelImpl::Resample::kDown : VaeLevelImpl::Resample::kNone;
    down_.push_back(
        down->Add(i, VaeLevel(width[i == 0 ? 0 : i - 1], width[i], c.layers_per_block, resample, c)));
  }
  mid_ = register_module("mid_block", VaeMidBlock(width.back(), c));
  conv_norm_out_ =
      register_module("conv_norm_out", GroupNorm(c.norm_num_groups, width.back(), kEps, /*silu=*/true));
  conv_out_ = register_module("conv_out", Conv3x3(width.back(), 2 * c.latent_channels));
}

torch::Tensor VaeEncoderImpl::forward(torch::Tensor x, bool recompute) const {
  x = conv_in_->forward(x);
  for (const VaeLevel& level : down_) x = level->forward(std::move(x), recompute);
  x = mid_->forward(std::move(x), recompute);
  x = conv_norm_out_->forward(std::move(x));
  return conv_out_->forward(x);
}

VaeDecoderImpl::VaeDecoderImpl(const VaeConfig& c)
    : conv_in_(register_module("conv_in", Conv3x3(c.latent_channels, c.block_out_channels.back()))),
      mid_(register_module("mid_block", VaeMidBlock(c.block_out_channels.back(), c))) {
  const std::vector<int> width(c.block_out_channels.rbegin(), c.block_out_channels.rend());
  const size_t levels = width.size();
  Scope up = register_module("up_blocks", Scope());
  for (size_t i = 0; i < levels; ++i) {
    const auto resample = i + 1 < levels ? VaeLevelImpl::Resample::kUp : VaeLevelImpl::Resample::kNone;
    up_.push_back(
        up->Add(i, VaeLevel(width[i == 0 ? 0 : i - 1], width[i], c.layers_per_block + 1, resample, c)));
  }
  conv_norm_out_ =
      register_module("conv_norm_out", GroupNorm(c.norm_num_groups, width.back(), kEps, /*silu=*/true));
  conv_out_ = register_module("conv_out", Conv3x3(width.back(), c.out_channels));
}

torch::Tensor VaeDecoderImpl::forward(torch::Tensor x, bool recompute) const {
  x = conv_in_->forward(x);
  x = mid_->forward(std::move(x), recompute);
  for (const VaeLevel& level : up_) x = level->forward(std::move(x), recompute);
  x = conv_norm_out_->forward(std::move(x));
  return conv_out_->forward(x);
}

}  // namespace ip2p
