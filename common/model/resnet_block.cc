// See resnet_block.h.
#include "common/model/resnet_block.h"

#include "common/model/kernels/prepacked.h"
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

UpsamplerImpl::UpsamplerImpl(int channels, bool doubles)
    : doubles_(doubles),
      conv_(register_module("conv", Conv2d(channels, channels, /*kernel=*/3, /*stride=*/1, /*padding=*/1))) {}

torch::Tensor UpsamplerImpl::forward(torch::Tensor x, int64_t height, int64_t width) const {
  if (phases_) return Doubled(x);
  x = torch::upsample_nearest2d(x, {height, width});
  return conv_->forward(x);
}

bool UpsamplerImpl::Pack() {
  if (phases_) return true;
  if (!doubles_) return conv_->Pack();
  if (!kernels::CanPack(conv_->weight)) return false;
  const torch::NoGradGuard no_grad;
  const torch::Tensor w = conv_->weight.to(torch::kFloat32);  // [C,C,3,3]; sums are rounded once
  // Taps 0,1,2 of an even row lie on the small rows -1,0,0; those of an odd row on 0,0,1.
  const auto fold = [](const torch::Tensor& t, int64_t dim, int phase) {
    const auto tap = [&](int i) { return t.narrow(dim, i, 1); };
    return phase == 0 ? torch::cat({tap(0), tap(1) + tap(2)}, dim)
                      : torch::cat({tap(0) + tap(1), tap(2)}, dim);
  };
  std::vector<torch::Tensor> phases;
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) phases.push_back(fold(fold(w, 2, row), 3, column));
  }
  const int64_t channels = w.size(0);
  phases_ = Conv2d(channels, 4 * channels, /*kernel=*/2, /*stride=*/1, /*padding=*/1);
  phases_->weight.set_data(torch::cat(phases).to(conv_->dtype()));
  phases_->bias.set_data(conv_->bias.repeat({4}));
  phases_->Pack();
  conv_->weight.set_requires_grad(false);
  conv_->weight.set_data(torch::empty({0}, conv_->weight.options()));
  return true;
}

torch::Tensor UpsamplerImpl::Doubled(const torch::Tensor& x) const {
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  const torch::Tensor phases = phases_->forward(x);
  torch::Tensor out = torch::empty({x.size(0), channels, 2 * height, 2 * width},
                                   x.options().memory_format(torch::MemoryFormat::ChannelsLast));
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) {
      const torch::Tensor phase = phases.narrow(1, (2 * row + column) * channels, channels)
                                      .narrow(2, row, height)
                                      .narrow(3, column, width);
      out.slice(2, row, c10::nullopt, 2).slice(3, column, c10::nullopt, 2).copy_(phase);
    }
  }
  return out;
}

}  // namespace ip2p
