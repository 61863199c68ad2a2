// Group normalisation with SiLU in the same pass. Thread-safe; uses torch's intra-op threads; faults throw
// c10::Error.
#pragma once

#include <torch/types.h>

namespace ip2p::kernels {

// x [N,C,H,W] (contiguous or channels_last, which the result keeps), weight and bias [C]; statistics over
// each of `groups` runs of C / groups channels, in at least float32. A sample's result does not depend on its
// batch. Without gradients the result is written over x where nobody else holds it (a moved temporary).
torch::Tensor GroupNorm(torch::Tensor x, int64_t groups, const torch::Tensor& weight,
                        const torch::Tensor& bias, double eps, bool silu);

}  // namespace ip2p::kernels
