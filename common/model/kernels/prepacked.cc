// See prepacked.h.
#include "common/model/kernels/prepacked.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

#include "common/model/kernels/cpu_features.h"

namespace ip2p::kernels {
namespace {

using torch::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Scalars = c10::List<std::optional<c10::Scalar>>;
using OptionalName = std::optional<std::string_view>;

template <typename Signature>
c10::TypedOperatorHandle<Signature> FindOperator(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

Scalars NoScalars() { return Scalars(); }
OptionalTensor Optional(const Tensor& t) { return t.defined() ? OptionalTensor(t) : std::nullopt; }

}  // namespace

bool CanPack(const Tensor& weight) {
  if (!weight.is_cpu() || weight.is_mkldnn() || weight.numel() == 0) return false;
  if (!at::globalContext().userEnabledMkldnn() || !at::globalContext().hasMKLDNN()) return false;
  if (weight.scalar_type() == torch::kFloat32) return true;
  if (weight.scalar_type() != torch::kBFloat16) return false;
  static const bool bf16_runs = FindOperator<bool()>("mkldnn::_is_mkldnn_bf16_supported").call();
  return bf16_runs;
}

Tensor PackLinearWeight(const Tensor& weight) {
  static const auto reorder =
      FindOperator<Tensor(const Tensor&, std::optional<int64_t>)>("mkldnn::_reorder_linear_weight");
  return reorder.call(weight.detach(), std::nullopt);
}

Tensor PackedLinear(const Tensor& x, const Tensor& packed, const Tensor& bias) {
  static const auto linear =
      FindOperator<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, std::string_view, Scalars,
                          OptionalName)>("mkldnn::_linear_pointwise");
  return linear.call(x, packed, Optional(bias), "none", NoScalars(), std::nullopt);
}

Tensor PackedLinearAdd(const Tensor& x, const Tensor& addend, const Tensor& packed, const Tensor& bias) {
  static const auto linear =
      FindOperator<Tensor(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
                          std::string_view)>("mkldnn::_linear_pointwise", "binary");
  return linear.call(x, addend, packed, Optional(bias), "add");
}

Tensor PackConv2dWeight(const Tensor& weight, int64_t stride, int64_t padding) {
  // Without AVX-512 the layout that oneDNN wants follows from the input's size, and between two of its
  // layouts it has no fast way: 26 ms for 128x128x3x3, whose convolution takes 1. The plain one it lays out
  // at each call in 0.3.
  if (!HasAvx512()) return weight.detach().clone(torch::MemoryFormat::ChannelsLast);
  static const auto reorder =
      FindOperator<Tensor(const Tensor&, c10::IntArrayRef, c10::IntArrayRef, c10::IntArrayRef, int64_t,
                          at::OptionalIntArrayRef)>("mkldnn::_reorder_convolution_weight");
  return reorder.call(weight.detach(), {padding, padding}, {stride, stride}, {1, 1}, /*groups=*/1,
                      std::nullopt);
}

Tensor PackedConv2d(const Tensor& x, const Tensor& packed, const Tensor& bias, int64_t stride,
                    int64_t padding) {
  static const auto convolve = FindOperator<Tensor(
      const Tensor&, const Tensor&, const OptionalTensor&, c10::IntArrayRef, c10::IntArrayRef,
      c10::IntArrayRef, int64_t, std::string_view, Scalars, OptionalName)>("mkldnn::_convolution_pointwise");
  return convolve.call(x, packed, Optional(bias), {padding, padding}, {stride, stride}, {1, 1}, /*groups=*/1,
                       "none", NoScalars(), std::nullopt);
}

Tensor PackedConv2dAdd(const Tensor& x, const Tensor& addend, const Tensor& packed, const Tensor& bias,
                       int64_t stride, int64_t padding) {
  static const auto convolve =
      FindOperator<Tensor(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
                          c10::IntArrayRef, c10::IntArrayRef, c10::IntArrayRef, int64_t, std::string_view,
                          std::optional<c10::Scalar>, OptionalName, Scalars, OptionalName)>(
          "mkldnn::_convolution_pointwise", "binary");
  return convolve.call(x, addend, packed, Optional(bias), {padding, padding}, {stride, stride}, {1, 1},
                       /*groups=*/1, "add", c10::Scalar(1.0), std::nullopt, NoScalars(), std::nullopt);
}

}  // namespace ip2p::kernels
