// See activation.h.
#include "common/model/kernels/activation.h"

namespace ip2p {

torch::Tensor Geglu(const torch::Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return halves[0] * torch::gelu(halves[1]);
}

}  // namespace ip2p
