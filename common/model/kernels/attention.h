// Scaled dot-product attention. On the CPU in bf16 without gradients: our own fused kernels, chosen at run
// time by what the processor has. Anywhere else torch's. Uses torch's intra-op threads; thread-safe; faults
// throw c10::Error.
#pragma once

#include <torch/types.h>

namespace ip2p {

// q [N,Lq,heads*d]; k, v [N,Lk,heads*d], strided freely but for a contiguous last dimension; scale 1/sqrt(d).
// causal: query i sees keys 0..i. -> [N,Lq,heads*d], contiguous. A sample's result does not depend on its
// batch.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, int64_t heads,
                        bool causal = false);

// Attention where some samples take another's map: q, k [M,L,heads*d]; v [N,L,heads*d], M <= N <= 2 M. Value
// row M + i is weighted as row i, whose scores and softmax are made once for both -> [N,L,heads*d]. Rows
// below N - M come first. Results are Attention's of q and k repeated, for the flash paths bit for bit.
torch::Tensor SharedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                              int64_t heads);

}  // namespace ip2p
