// See norm.h.
#include "common/model/kernels/norm.h"

namespace ip2p::kernels {

torch::Tensor GroupNorm(const torch::Tensor& x, int64_t groups, const torch::Tensor& weight,
                        const torch::Tensor& bias, double eps, bool silu) {
  const torch::Tensor y = torch::group_norm(x, groups, weight, bias, eps);
  return silu ? torch::silu(y) : y;
}

}  // namespace ip2p::kernels
