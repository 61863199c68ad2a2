// See layers.h.
#include "common/model/layers.h"

#include "common/model/kernels/conv_training.h"
#include "common/model/kernels/norm.h"
#include "common/model/kernels/prepacked.h"

namespace ip2p {
namespace {

// Never read before it is filled; a fresh large block is not even mapped.
torch::Tensor Unfilled(c10::IntArrayRef shape) { return torch::empty(shape); }

// A packed layer has no weight to differentiate by, and may not silently drop gradients.
void RefuseGradients(const char* layer) {
  TORCH_CHECK(!torch::GradMode::is_enabled(), layer, " is packed for inference; wants gradients off");
}

// Leaves the parameter's name and type in place, without memory.
void ReleaseWeight(torch::Tensor& weight) {
  weight.set_requires_grad(false);
  weight.set_data(torch::empty({0}, weight.options()));
}

torch::Tensor ChannelsLastOnCpu(const torch::Tensor& x) {
  return x.is_cpu() ? x.contiguous(torch::MemoryFormat::ChannelsLast) : x;
}

}  // namespace

LinearImpl::LinearImpl(int64_t in, int64_t out, bool with_bias)
    : weight(register_parameter("weight", Unfilled({out, in}))) {
  if (with_bias) bias = register_parameter("bias", Unfilled({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) const {
  if (!packed()) return torch::linear(x, weight, bias);
  RefuseGradients("Linear");
  return kernels::PackedLinear(x, packed_, bias);
}

torch::Tensor LinearImpl::ForwardAdd(const torch::Tensor& x, const torch::Tensor& addend) const {
  if (!packed()) return torch::linear(x, weight, bias) + addend;
  RefuseGradients("Linear");
  return kernels::PackedLinearAdd(x, addend, packed_, bias);
}

bool LinearImpl::Pack() {
  if (packed() || !kernels::CanPack(weight)) return packed();
  const torch::NoGradGuard no_grad;
  packed_ = kernels::PackLinearWeight(weight);
  ReleaseWeight(weight);
  return true;
}

Conv2dImpl::Conv2dImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
    : weight(register_parameter("weight", Unfilled({out, in, kernel, kernel}))),
      bias(register_parameter("bias", Unfilled({out}))),
      stride_(stride),
      padding_(padding) {}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) const {
  if (!packed()) return kernels::TrainedConv2d(ChannelsLastOnCpu(x), weight, bias, stride_, padding_);
  RefuseGradients("Conv2d");
  return kernels::PackedConv2d(ChannelsLastOnCpu(x), packed_, bias, stride_, padding_);
}

torch::Tensor Conv2dImpl::ForwardAdd(const torch::Tensor& x, const torch::Tensor& addend) const {
  if (!packed())
    return kernels::TrainedConv2d(ChannelsLastOnCpu(x), weight, bias, stride_, padding_) + addend;
  RefuseGradients("Conv2d");
  return kernels::PackedConv2dAdd(ChannelsLastOnCpu(x), ChannelsLastOnCpu(addend), packed_, bias, stride_,
                                  padding_);
}

bool Conv2dImpl::Pack() {
  if (packed() || !kernels::CanPack(weight)) return packed();
  const torch::NoGradGuard no_grad;
  packed_ = kernels::PackConv2dWeight(weight, stride_, padding_);
  ReleaseWeight(weight);
  return true;
}

GroupNormImpl::GroupNormImpl(int64_t groups, int64_t channels, double eps, bool silu)
    : weight(register_parameter("weight", Unfilled({channels}))),
      bias(register_parameter("bias", Unfilled({channels}))),
      groups_(groups),
      eps_(eps),
      silu_(silu) {}

torch::Tensor GroupNormImpl::forward(torch::Tensor x) const {
  return kernels::GroupNorm(std::move(x), groups_, weight, bias, eps_, silu_);
}

LayerNormImpl::LayerNormImpl(int64_t dim, double eps)
    : weight(register_parameter("weight", Unfilled({dim}))),
      bias(register_parameter("bias", Unfilled({dim}))),
      eps_(eps) {}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) const {
  return torch::layer_norm(x, weight.sizes(), weight, bias, eps_);
}

void PackAll(torch::nn::Module& root) {
  if (auto* packable = dynamic_cast<Packable*>(&root)) {
    packable->Pack();
    return;
  }
  for (const auto& child : root.children()) PackAll(*child);
}

}  // namespace ip2p
