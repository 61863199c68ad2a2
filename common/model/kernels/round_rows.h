// float32 to bf16, on AVX-512 where there is any: weights are converted as they are loaded. No torch.
#pragma once

#include <cstdint>

#include "common/model/kernels/bf16.h"

namespace ip2p::kernels {

// y[i] = x[i] rounded to nearest, ties to even, as torch does; NaN stays NaN. i < count.
void RoundRows(const float* x, int64_t count, Bf16* y);

}  // namespace ip2p::kernels
