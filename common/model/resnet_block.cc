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
  // With the shortcut made first, x is nobody else's and norm1 writes over it.
  const torch::Tensor residual = conv_shortcut_ ? conv_shortcut_->forward(x) : x;
  torch::Tensor h = norm1_->forward(std::move(x));
  h = conv1_->forward(h);
  if (time_emb_proj_)
    h = AddInto(std::move(h), time_emb_proj_->forward(silu_temb).unsqueeze(-1).unsqueeze(-1));
  h = norm2_->forward(std::move(h));
  return conv2_->ForwardAdd(h, residual);
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
  if (!phases_.empty()) return Doubled(x);
  x = torch::upsample_nearest2d(x, {height, width});
  return conv_->forward(x);
}

bool UpsamplerImpl::Pack() {
  if (!phases_.empty()) return true;
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
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) {
      Conv2d phase(w.size(1), w.size(0), /*kernel=*/2, /*stride=*/1, /*padding=*/1);
      phase->weight.set_data(fold(fold(w, 2, row), 3, column).to(conv_->dtype()).contiguous());
      phase->bias.set_data(conv_->bias.clone());
      phase->Pack();
      phases_.push_back(phase);
    }
  }
  conv_->weight.set_requires_grad(false);
  conv_->weight.set_data(torch::empty({0}, conv_->weight.options()));
  return true;
}

// One phase at a time, so that only a quarter of the output exists twice.
torch::Tensor UpsamplerImpl::Doubled(const torch::Tensor& x) const {
  const int64_t height = x.size(2), width = x.size(3);
  torch::Tensor out;
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) {
      const torch::Tensor phase = phases_[2 * row + column]->forward(x);
      if (!out.defined()) {
        out = torch::empty({x.size(0), phase.size(1), 2 * height, 2 * width},
                           phase.options().memory_format(torch::MemoryFormat::ChannelsLast));
      }
      out.slice(2, row, c10::nullopt, 2)
          .slice(3, column, c10::nullopt, 2)
          .copy_(phase.narrow(2, row, height).narrow(3, column, width));
    }
  }
  return out;
}

}  // namespace ip2p
