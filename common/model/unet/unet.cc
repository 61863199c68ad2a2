// See unet.h.
#include "common/model/unet/unet.h"

#include <cmath>

#include "common/model/scope.h"

namespace ip2p {
namespace {

// Sinusoids of the timestep, in float32 ("Attention is all you need", section 3.5): [N] -> [N,width].
torch::Tensor Sinusoids(const torch::Tensor& timesteps, int width, const UNetConfig& config) {
  const int half = width / 2;
  const auto options = torch::TensorOptions(torch::kFloat32).device(timesteps.device());
  const torch::Tensor rates =
      torch::exp(-std::log(10000.0) * torch::arange(half, options) / (half - config.freq_shift));
  const torch::Tensor angles = timesteps.to(torch::kFloat32).unsqueeze(1) * rates.unsqueeze(0);
  const torch::Tensor sin = angles.sin(), cos = angles.cos();
  return config.flip_sin_to_cos ? torch::cat({cos, sin}, 1) : torch::cat({sin, cos}, 1);
}

}  // namespace

UNetImpl::UNetImpl(const UNetConfig& c)
    : config_(c),
      conv_in_(register_module("conv_in", Conv2d(c.in_channels, c.block_out_channels.at(0), /*kernel=*/3,
                                                 /*stride=*/1, /*padding=*/1))) {
  const std::vector<int>& width = c.block_out_channels;
  const int levels = static_cast<int>(width.size());
  const int time = 4 * width[0];
  auto resnet = [&](int in, int out) {
    return ResnetBlockConfig{
        .in = in, .out = out, .time = time, .groups = c.norm_num_groups, .eps = c.norm_eps};
  };
  auto attention = [&](int level) {
    return TransformerConfig{.channels = width[level],
                             .heads = c.attention_heads.at(level),
                             .layers = c.transformer_layers,
                             .text_width = c.cross_attention_dim,
                             .groups = c.norm_num_groups,
                             .linear_projection = c.use_linear_projection};
  };

  Scope embedding = register_module("time_embedding", Scope());
  time_linear_1_ = embedding->Add("linear_1", Linear(width[0], time));
  time_linear_2_ = embedding->Add("linear_2", Linear(time, time));

  Scope down = register_module("down_blocks", Scope());
  std::vector<int> skips = {width[0]};  // widths of what the way down leaves for the way up
  for (int level = 0, channels = width[0]; level < levels; ++level) {
    UNetLevelConfig block;
    block.resample = level + 1 < levels;
    for (int i = 0; i < c.layers_per_block.at(level); ++i) {
      block.resnets.push_back(resnet(channels, width[level]));
      skips.push_back(channels = width[level]);
    }
    if (block.resample) skips.push_back(channels);
    if (c.attention.at(level)) block.attention = attention(level);
    down_.push_back(down->Add(level, DownBlock(block)));
  }

  mid_ = register_module("mid_block", MidBlock(resnet(width.back(), width.back()), attention(levels - 1)));

  Scope up = register_module("up_blocks", Scope());
  for (int i = 0, channels = width.back(); i < levels; ++i) {
    const int level = levels - 1 - i;
    UNetLevelConfig block;
    block.resample = level > 0;
    for (int j = 0; j < c.layers_per_block.at(level) + 1; ++j) {
      block.resnets.push_back(resnet(channels + skips.back(), width[level]));
      skips.pop_back();
      channels = width[level];
    }
    if (c.attention.at(level)) block.attention = attention(level);
    up_.push_back(up->Add(i, UpBlock(block)));
  }

  conv_norm_out_ =
      register_module("conv_norm_out", GroupNorm(c.norm_num_groups, width[0], c.norm_eps, /*silu=*/true));
  conv_out_ = register_module("conv_out",
                              Conv2d(width[0], c.out_channels, /*kernel=*/3, /*stride=*/1, /*padding=*/1));
}

TextContext UNetImpl::PrepareText(const torch::Tensor& text) const {
  TextContext context;
  for (const DownBlock& block : down_) block->AppendText(text, context);
  mid_->AppendText(text, context);
  for (const UpBlock& block : up_) block->AppendText(text, context);
  return context;
}

torch::Tensor UNetImpl::EmbedTime(const torch::Tensor& timesteps) const {
  torch::Tensor t = Sinusoids(timesteps, config_.block_out_channels[0], config_).to(conv_in_->dtype());
  t = torch::silu(time_linear_1_->forward(t));
  return torch::silu(time_linear_2_->forward(t));  // every resnet starts with this silu
}

torch::Tensor UNetImpl::forward(const torch::Tensor& x, const torch::Tensor& timesteps,
                                const TextContext& text, const AttentionControl& control) const {
  TORCH_CHECK(0 <= control.borrowers && 2 * control.borrowers <= x.size(0), control.borrowers, " of ",
              x.size(0), " rows borrow maps; wants 0 to half of them");
  UNetInputs in{.silu_temb = EmbedTime(timesteps),
                .text = text,
                .control = control,
                .recompute = recompute_ && torch::GradMode::is_enabled()};
  torch::Tensor h = conv_in_->forward(x.to(conv_in_->dtype()).contiguous(torch::MemoryFormat::ChannelsLast));
  std::vector<torch::Tensor> skips = {h};
  for (const DownBlock& block : down_) h = block->forward(std::move(h), in, skips);
  h = mid_->forward(std::move(h), in);
  for (const UpBlock& block : up_) h = block->forward(std::move(h), in, skips);
  h = conv_norm_out_->forward(std::move(h));
  return conv_out_->forward(h).to(x.scalar_type());
}

}  // namespace ip2p
