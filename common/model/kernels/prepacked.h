// Weights laid out once for oneDNN, and the layers that use them: torch's own inductor operators, reached
// through its dispatcher because the C++ headers do not declare them. No state, thread-safe; faults throw
// c10::Error.
#pragma once

#include <torch/types.h>

namespace ip2p::kernels {

// Whether a weight is on the CPU, not empty, and of a type that oneDNN runs natively here.
bool CanPack(const torch::Tensor& weight);

// weight [out,in] -> opaque.
torch::Tensor PackLinearWeight(const torch::Tensor& weight);
// x [...,in] -> x W^T + bias, [...,out]; bias may be undefined.
torch::Tensor PackedLinear(const torch::Tensor& x, const torch::Tensor& packed, const torch::Tensor& bias);
// The same plus addend [...,out], rounded once.
torch::Tensor PackedLinearAdd(const torch::Tensor& x, const torch::Tensor& addend,
                              const torch::Tensor& packed, const torch::Tensor& bias);

// weight [out,in,k,k] -> opaque; channels_last where oneDNN has no one layout for all inputs.
torch::Tensor PackConv2dWeight(const torch::Tensor& weight, int64_t stride, int64_t padding);
// x [N,in,H,W] channels_last -> [N,out,H',W'] channels_last.
torch::Tensor PackedConv2d(const torch::Tensor& x, const torch::Tensor& packed, const torch::Tensor& bias,
                           int64_t stride, int64_t padding);
torch::Tensor PackedConv2dAdd(const torch::Tensor& x, const torch::Tensor& addend,
                              const torch::Tensor& packed, const torch::Tensor& bias, int64_t stride,
                              int64_t padding);

}  // namespace ip2p::kernels
