// Which implementation of attention runs. Tests and benchmarks force one; everybody else calls Attention().
#pragma once

#include <torch/types.h>

namespace ip2p::kernels {

enum class AttentionPath { kTorch, kFlashAvx512, kFlashAmx };

// Whether this processor can run it.
bool IsAvailable(AttentionPath path);

// What Attention() takes. Never depends on the number of samples.
AttentionPath ChooseAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                              int64_t heads, bool causal);

// As Attention(). The flash paths want bf16 on the CPU and no causal mask, and give no gradients.
torch::Tensor AttentionOn(AttentionPath path, const torch::Tensor& q, const torch::Tensor& k,
                          const torch::Tensor& v, int64_t heads, bool causal);

// As SharedAttention().
torch::Tensor SharedAttentionOn(AttentionPath path, const torch::Tensor& q, const torch::Tensor& k,
                                const torch::Tensor& v, int64_t heads);

}  // namespace ip2p::kernels
