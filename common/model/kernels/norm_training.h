// Group normalisation that learns, with SiLU in the same pass, on the CPU: of all that is between input and
// output only the input is kept for the backward pass, and that is two passes over memory.
#pragma once

#include <torch/types.h>

namespace ip2p::kernels {

// Whether TrainedGroupNorm takes these: gradients on, channels_last float32 or bf16, float32 weights,
// AVX-512.
bool TrainsGroupNorm(const torch::Tensor& x, int64_t groups, const torch::Tensor& weight,
                     const torch::Tensor& bias);

// As kernels::GroupNorm (norm.h).
torch::Tensor TrainedGroupNorm(const torch::Tensor& x, int64_t groups, const torch::Tensor& weight,
                               const torch::Tensor& bias, double eps, bool silu);

}  // namespace ip2p::kernels
