// The passes of group normalisation's gradients over channels_last rows, on AVX-512: run them only with
// HasAvx512(). Rows are added in their order. No torch.
#pragma once

#include <cstdint>

#include "common/model/kernels/bf16.h"

namespace ip2p::kernels {

// `count` rows of the input and of the output's gradient; the output is x * scale + shift, then SiLU where
// there is.
template <typename T>
struct GroupNormGradientRows {
  const T* x = nullptr;
  const T* gradient = nullptr;
  int64_t count = 0, channels = 0;
  const float *scale = nullptr, *shift = nullptr;  // [channels]
  bool silu = false;
};

// Per channel, over the rows: sums of dz, the gradient before SiLU, and of dz (x - mean).
void SumGradientRows(const GroupNormGradientRows<float>& rows, const float* means, float* sums,
                     float* products);
void SumGradientRows(const GroupNormGradientRows<Bf16>& rows, const float* means, float* sums,
                     float* products);

// y = dz of_output + x of_input + constant, per channel.
void GradientRows(const GroupNormGradientRows<float>& rows, const float* of_output, const float* of_input,
                  const float* constant, float* y);
void GradientRows(const GroupNormGradientRows<Bf16>& rows, const float* of_output, const float* of_input,
                  const float* constant, Bf16* y);

}  // namespace ip2p::kernels
