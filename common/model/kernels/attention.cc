// See attention.h and attention_path.h.
#include "common/model/kernels/attention.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "common/model/kernels/attention_path.h"
#include "common/model/kernels/attention_training.h"
#include "common/model/kernels/cpu_features.h"
#include "common/model/kernels/flash.h"

namespace ip2p {
namespace kernels {
namespace {

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);  // [N,heads,L,d], a view
}

torch::Tensor TorchAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             int64_t heads, bool causal) {
  const torch::Tensor out = at::scaled_dot_product_attention(SplitHeads(q, heads), SplitHeads(k, heads),
                                                             SplitHeads(v, heads), /*attn_mask=*/{},
                                                             /*dropout_p=*/0.0, causal);
  return out.transpose(1, 2).flatten(2).contiguous();
}

// Wider heads (the VAE's one of 512) no longer fit the second-level cache beside their queries; torch's
// blocking is better.
constexpr int64_t kWidestFlashHead = 256;

bool FlashTakes(const torch::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kBFloat16 && x.layout() == torch::kStrided &&
         x.stride(2) == 1 && x.numel() > 0;
}

const Bf16* Data(const torch::Tensor& x) {
  return reinterpret_cast<const Bf16*>(x.const_data_ptr<at::BFloat16>());
}

using FlashFunction = void (*)(const FlashJob&, int64_t, int64_t);

torch::Tensor RowsOf(const torch::Tensor& x, int64_t begin, int64_t end) {
  return x.narrow(0, begin, end - begin);
}

// Wider values cost torch's kernel more than the maps that they save. Measured at 160.
constexpr int64_t kWidestSharedHead = 128;

torch::Tensor TorchSharedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                   int64_t heads) {
  const int64_t rows = v.size(0), maps = q.size(0), shared = rows - maps, dim = q.size(2) / heads;
  if (dim > kWidestSharedHead || shared < maps) {
    auto repeated = [&](const torch::Tensor& x) { return torch::cat({x, RowsOf(x, 0, shared)}); };
    return TorchAttention(repeated(q), repeated(k), v, heads, /*causal=*/false);
  }
  // Both values side by side in a head of twice the width, whose queries and keys are zero beyond d.
  auto padded = [&](const torch::Tensor& x) {
    return torch::constant_pad_nd(SplitHeads(x, heads), {0, dim});
  };
  const torch::Tensor values =
      torch::cat({SplitHeads(RowsOf(v, 0, maps), heads), SplitHeads(RowsOf(v, maps, rows), heads)}, -1);
  const torch::Tensor out =
      at::scaled_dot_product_attention(padded(q), padded(k), values, /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                       /*is_causal=*/false, 1 / std::sqrt(static_cast<double>(dim)));
  const auto halves = out.chunk(2, -1);
  return torch::cat({halves[0], halves[1]}).transpose(1, 2).flatten(2).contiguous();
}

FlashFunction FlashOn(AttentionPath path) {
  return path == AttentionPath::kFlashAmx ? &FlashAmx : &FlashAvx512;
}

FlashJob MakeFlashJob(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, int64_t heads,
                      const torch::Tensor& out) {
  FlashJob job;
  job.shape = {.head_dim = q.size(2) / heads, .key_count = k.size(1)};
  job.first = {.q = Data(q),
               .k = Data(k),
               .v = Data(v),
               .out = reinterpret_cast<Bf16*>(out.mutable_data_ptr<at::BFloat16>()),
               .q_stride = q.stride(1),
               .k_stride = k.stride(1),
               .v_stride = v.stride(1),
               .out_stride = out.stride(1)};
  job.heads = heads;
  job.samples = q.size(0);
  job.query_count = q.size(1);
  job.q_sample_stride = q.stride(0);
  job.k_sample_stride = k.stride(0);
  job.v_sample_stride = v.stride(0);
  job.out_sample_stride = out.stride(0);
  return job;
}

void RunFlash(const FlashJob& job, FlashFunction run) {
  at::parallel_for(0, job.tasks(), /*grain_size=*/1,
                   [&](int64_t begin, int64_t end) { run(job, begin, end); });
}

torch::Tensor FlashAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             int64_t heads, FlashFunction run) {
  torch::Tensor out = torch::empty(q.sizes(), q.options());
  RunFlash(MakeFlashJob(q, k, v, heads, out), run);
  return out;
}

torch::Tensor FlashSharedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                   int64_t heads, FlashFunction run) {
  const int64_t maps = q.size(0), shared = v.size(0) - maps;
  torch::Tensor out = torch::empty(v.sizes(), v.options());
  if (shared > 0) {
    FlashJob job = MakeFlashJob(RowsOf(q, 0, shared), RowsOf(k, 0, shared), v, heads, out);
    job.shape.value_sets = 2;
    job.first.v_set_stride = maps * v.stride(0);
    job.first.out_set_stride = maps * out.stride(0);
    RunFlash(job, run);
  }
  if (shared < maps) {
    RunFlash(MakeFlashJob(RowsOf(q, shared, maps), RowsOf(k, shared, maps), RowsOf(v, shared, maps), heads,
                          RowsOf(out, shared, maps)),
             run);
  }
  return out;
}

}  // namespace

bool IsAvailable(AttentionPath path) {
  switch (path) {
    case AttentionPath::kFlashAmx:
      return HasAmxBf16();
    case AttentionPath::kFlashAvx512:
      return HasAvx512Bf16();
    case AttentionPath::kTorch:
      return true;
  }
  return false;
}

AttentionPath ChooseAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                              int64_t heads, bool causal) {
  if (torch::GradMode::is_enabled() || causal) return AttentionPath::kTorch;
  if (q.size(2) > heads * kWidestFlashHead) return AttentionPath::kTorch;
  if (!FlashTakes(q) || !FlashTakes(k) || !FlashTakes(v)) return AttentionPath::kTorch;
  if (HasAmxBf16()) return AttentionPath::kFlashAmx;
  return HasAvx512Bf16() ? AttentionPath::kFlashAvx512 : AttentionPath::kTorch;
}

torch::Tensor AttentionOn(AttentionPath path, const torch::Tensor& q, const torch::Tensor& k,
                          const torch::Tensor& v, int64_t heads, bool causal) {
  TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && q.size(0) == k.size(0) && heads > 0 &&
                  q.size(2) == k.size(2) && q.size(2) % heads == 0,
              "attention of q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes(), " over ", heads,
              " heads; wants [N,Lq,C], [N,Lk,C], [N,Lk,C], heads dividing C");
  if (path == AttentionPath::kTorch) return TorchAttention(q, k, v, heads, causal);
  TORCH_CHECK(IsAvailable(path) && !causal && FlashTakes(q) && FlashTakes(k) && FlashTakes(v),
              "flash attention is asked for what it does not do; wants bf16 on a CPU that has it");
  return FlashAttention(q, k, v, heads, FlashOn(path));
}

torch::Tensor SharedAttentionOn(AttentionPath path, const torch::Tensor& q, const torch::Tensor& k,
                                const torch::Tensor& v, int64_t heads) {
  const int64_t maps = q.size(0), shared = v.size(0) - maps;
  TORCH_CHECK(v.dim() == 3 && q.sizes() == k.sizes() && 0 <= shared && shared <= maps,
              "shared attention of q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes(),
              "; wants [M,L,C] twice and [N,L,C] with M <= N <= 2 M");
  if (shared == 0) return AttentionOn(path, q, k, v, heads, /*causal=*/false);
  if (path == AttentionPath::kTorch) return TorchSharedAttention(q, k, v, heads);
  TORCH_CHECK(IsAvailable(path) && FlashTakes(q) && FlashTakes(k) && FlashTakes(v),
              "flash attention is asked for what it does not do; wants bf16 on a CPU that has it");
  return FlashSharedAttention(q, k, v, heads, FlashOn(path));
}

}  // namespace kernels

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, int64_t heads,
                        bool causal) {
  if (!causal && kernels::TrainsAttention(q, k, v, heads)) return kernels::TrainedAttention(q, k, v, heads);
  return kernels::AttentionOn(kernels::ChooseAttention(q, k, v, heads, causal), q, k, v, heads, causal);
}

torch::Tensor SharedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                              int64_t heads) {
  return kernels::SharedAttentionOn(kernels::ChooseAttention(q, k, v, heads, /*causal=*/false), q, k, v,
                                    heads);
}

}  // namespace ip2p
