// Group normalisation's passes over channels_last rows, on AVX-512 where there is any. Rows are added in
// their order either way, so that neither a batch nor threads show. No torch.
#pragma once

#include <cstdint>

#include "common/model/kernels/bf16.h"

namespace ip2p::kernels {

// `count` rows of `channels` consecutive elements.
template <typename T>
struct Rows {
  const T* data = nullptr;
  int64_t count = 0;
  int64_t channels = 0;
};

// Per channel, over the rows: sums of x - pivot and of its square. Pivots near the mean keep the variance
// exact.
void SumRows(Rows<float> x, const float* pivots, float* sums, float* squares);
void SumRows(Rows<Bf16> x, const float* pivots, float* sums, float* squares);

// y = x * scale + shift per channel; y may be x. Then SiLU, where asked for: only with HasAvx512().
void ScaleRows(Rows<float> x, const float* scale, const float* shift, bool silu, float* y);
void ScaleRows(Rows<Bf16> x, const float* scale, const float* shift, bool silu, Bf16* y);

}  // namespace ip2p::kernels
