// See activation.h.
#include "common/model/kernels/activation.h"

#include <ATen/Parallel.h>

#include "common/model/kernels/cpu_features.h"
#include "common/model/kernels/geglu_rows.h"

namespace ip2p {
namespace {

constexpr int64_t kGrainElements =
    1 << 14;  // per thread at least; below that threads cost more than they save

torch::Tensor TorchGeglu(const torch::Tensor& x) {
  const auto halves = x.chunk(2, -1);
  if (torch::GradMode::is_enabled() || !x.is_cpu() || x.scalar_type() != torch::kBFloat16) {
    return halves[0] * torch::gelu(halves[1]);
  }
  // Rounded once, as the fast path does.
  return (halves[0].to(torch::kFloat32) * torch::gelu(halves[1].to(torch::kFloat32))).to(x.scalar_type());
}

template <typename T, typename Scalar>
torch::Tensor FastGeglu(const torch::Tensor& x) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() /= 2;
  const int64_t width = shape.back(), rows = x.numel() / x.size(-1);
  torch::Tensor y = torch::empty(shape, x.options());
  const auto* from = reinterpret_cast<const T*>(x.const_data_ptr<Scalar>());
  auto* to = reinterpret_cast<T*>(y.mutable_data_ptr<Scalar>());
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrainElements / width), [&](int64_t begin, int64_t end) {
    kernels::GegluRows(from + begin * 2 * width, end - begin, width, to + begin * width);
  });
  return y;
}

}  // namespace

torch::Tensor Geglu(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() > 0 && x.size(-1) % 2 == 0, "geglu of ", x.sizes(), "; wants an even last dimension");
  const bool fast = !torch::GradMode::is_enabled() && x.is_cpu() && kernels::HasAvx512() &&
                    x.is_contiguous() && x.numel() > 0;
  if (fast && x.scalar_type() == torch::kFloat32) return FastGeglu<float, float>(x);
  if (fast && x.scalar_type() == torch::kBFloat16) return FastGeglu<kernels::Bf16, at::BFloat16>(x);
  return TorchGeglu(x);
}

}  // namespace ip2p
