// The gated unit on AVX-512. Wants HasAvx512(). No torch.
#pragma once

#include <cstdint>

#include "common/model/kernels/simd.h"

namespace ip2p::kernels {

// y [count][width] = x[..][0..width) * gelu(x[..][width..2 width)), x [count][2 width].
void GegluRows(const float* x, int64_t count, int64_t width, float* y);
void GegluRows(const Bf16* x, int64_t count, int64_t width, Bf16* y);

}  // namespace ip2p::kernels
