// See norm.h.
#include "common/model/kernels/norm.h"

#include "common/model/kernels/cpu_features.h"
#include "common/model/kernels/group_norm_rows.h"
#include "common/model/kernels/group_norm_stats.h"
#include "common/model/kernels/norm_training.h"

namespace ip2p::kernels {
namespace {

template <typename T, typename Scalar>
torch::Tensor FastGroupNorm(torch::Tensor x, int64_t groups, const torch::Tensor& weight,
                            const torch::Tensor& bias, double eps, bool silu) {
  const GroupNormShape s = ShapeOf(x, groups);
  const bool own = x.use_count() == 1 && x.storage().use_count() == 1;
  torch::Tensor y = own ? x : torch::empty(x.sizes(), x.options(), torch::MemoryFormat::ChannelsLast);
  const auto* from = reinterpret_cast<const T*>(x.const_data_ptr<Scalar>());
  auto* to = reinterpret_cast<T*>(y.mutable_data_ptr<Scalar>());
  const GroupNormAffine affine = AffineOf(s, x, from, weight, bias, eps);
  ForEachChunk(s, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
    const int64_t at = s.offset(sample, first);
    ScaleRows(Rows<T>{from + at, rows, s.channels}, affine.scale.data() + sample * s.channels,
              affine.shift.data() + sample * s.channels, silu && HasAvx512(), to + at);
  });
  return silu && !HasAvx512() ? torch::silu_(y) : y;
}

}  // namespace

torch::Tensor GroupNorm(torch::Tensor x, int64_t groups, const torch::Tensor& weight,
                        const torch::Tensor& bias, double eps, bool silu) {
  const bool fast = !torch::GradMode::is_enabled() && x.is_cpu() && x.dim() == 4 && x.numel() > 0 &&
                    x.is_contiguous(torch::MemoryFormat::ChannelsLast) && groups > 0 &&
                    x.size(1) % groups == 0 && weight.numel() == x.size(1) && bias.numel() == x.size(1);
  if (fast && x.scalar_type() == torch::kFloat32) {
    return FastGroupNorm<float, float>(std::move(x), groups, weight, bias, eps, silu);
  }
  if (fast && x.scalar_type() == torch::kBFloat16) {
    return FastGroupNorm<Bf16, at::BFloat16>(std::move(x), groups, weight, bias, eps, silu);
  }
  if (TrainsGroupNorm(x, groups, weight, bias)) return TrainedGroupNorm(x, groups, weight, bias, eps, silu);
  const torch::Tensor y = torch::group_norm(x, groups, weight, bias, eps);
  return silu ? torch::silu(y) : y;
}

}  // namespace ip2p::kernels
