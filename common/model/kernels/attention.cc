// See attention.h.
#include "common/model/kernels/attention.h"

namespace ip2p {
namespace {

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);  // [N,heads,L,d], a view
}

torch::Tensor TorchAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             int64_t heads, bool causal) {
  const torch::Tensor out =
      at::scaled_dot_product_attention(SplitHeads(q, heads), SplitHeads(k, heads), SplitHeads(v, heads),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0, causal);
  return out.transpose(1, 2).flatten(2).contiguous();
}

}  // namespace

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, int64_t heads,
                        bool causal) {
  return TorchAttention(q, k, v, heads, causal);
}

}  // namespace ip2p
