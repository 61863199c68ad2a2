// Attention that learns, in bf16 on the CPU: torch's forward pass, and a backward pass of tiles in the
// processor's matrix units (Dao et al., arXiv 2205.14135, algorithm 4).
#pragma once

#include <torch/types.h>

#include "common/model/kernels/attention.h"

namespace ip2p::kernels {

// Whether TrainedAttention takes these: gradients on, bf16, a CPU that multiplies it.
bool TrainsAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, int64_t heads);

// q [N,Lq,C], k and v [N,Lk,C], heads side by side in C -> [N,Lq,C]; see attention.h.
torch::Tensor TrainedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               int64_t heads);

}  // namespace ip2p::kernels
