// See attention_training.h. Scores are held with a row a key and a column a query: what belongs to a query
// (the logarithm of its sum, the product of its output with its gradient) is then a vector beside each row,
// and the products over queries need no transposing.
#include "common/model/kernels/attention_training.h"

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/model/kernels/attention_tile.h"
#include "common/model/kernels/cpu_features.h"

namespace ip2p::kernels {
namespace {

using torch::Tensor;

constexpr int64_t kTileKeys = 256;  // a tile of scores is 64 KiB
constexpr int64_t kWidestHead = 256;

torch::Tensor SplitHeads(const Tensor& x, int64_t heads) {
  return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);  // [N,heads,L,d], a view
}

// A row-major matrix of the batch's [N,L,C]: one head of one sample.
struct Rows {
  Bf16* data = nullptr;
  int64_t count = 0;
  int64_t stride = 0;
};

const at::BFloat16* Torch(const Bf16* x) { return reinterpret_cast<const at::BFloat16*>(x); }

// c [m,n] = a [m,k] b, b as pairs of rows [k/2][n][2]; `adds`: onto c.
void Multiply(int64_t m, int64_t n, int64_t k, const Bf16* a, int64_t a_stride, const Bf16* b, bool adds,
              float* c) {
  at::native::cpublas::brgemm(m, n, k, a_stride, n, n, adds, Torch(a), Torch(b), c);
}

// What one head of one sample works on; buffers are a thread's own and serve many.
class HeadGradient {
 public:
  HeadGradient(int64_t queries, int64_t keys, int64_t width)
      : queries_(queries),
        keys_(keys),
        even_keys_(keys + keys % 2),
        width_(width),
        k_(even_keys_ * width),
        k_transposed_(even_keys_ * width),
        v_(even_keys_ * width),
        query_pairs_(kTileQueries * width),
        query_columns_(kTileQueries * width),
        gradient_pairs_(kTileQueries * width),
        gradient_columns_(kTileQueries * width),
        tile_rows_(kTileQueries * width),
        scores_(kTileKeys * kTileQueries),
        value_products_(kTileKeys * kTileQueries),
        shares_(kTileKeys * kTileQueries),
        score_gradients_(kTileKeys * kTileQueries),
        score_pairs_(kTileKeys * kTileQueries),
        log_sums_(kTileQueries),
        products_(kTileQueries),
        of_k_(even_keys_ * width),
        of_v_(even_keys_ * width),
        of_q_(kTileQueries * width) {}

  struct Job {
    Rows q, k, v, out, gradient;              // of the forward pass; of the output
    const float* log_sums = nullptr;          // [queries]
    Rows q_gradient, k_gradient, v_gradient;  // out
  };

  void Run(const Job& job, float scale) {
    TakeKeys(job);
    for (int64_t at = 0; at < queries_; at += kTileQueries) {
      TakeQueries(job, at, std::min(kTileQueries, queries_ - at));
      for (int64_t key = 0; key < even_keys_; key += kTileKeys)
        RunTile(key, std::min(kTileKeys, even_keys_ - key), scale, /*adds_keys=*/at > 0);
      GiveQueries(job, at, std::min(kTileQueries, queries_ - at), scale);
    }
    Give(of_k_.data(), scale, job.k_gradient);
    Give(of_v_.data(), 1, job.v_gradient);
  }

 private:
  static void Copy(const Rows& from, int64_t first, int64_t count, int64_t width, Bf16* to) {
    for (int64_t row = 0; row < count; ++row)
      std::copy_n(from.data + (first + row) * from.stride, width, to + row * width);
  }

  // An odd number of keys is filled up with one of zeros: its gradients are nobody's.
  void TakeKeys(const Job& job) {
    Copy(job.k, 0, keys_, width_, k_.data());
    Copy(job.v, 0, keys_, width_, v_.data());
    for (int64_t row = 0; row < keys_; ++row) {
      for (int64_t c = 0; c < width_; ++c) k_transposed_[c * even_keys_ + row] = k_[row * width_ + c];
    }
  }

  // A last tile is filled up with queries of zeros that nothing is shared with.
  void TakeQueries(const Job& job, int64_t at, int64_t count) {
    for (int64_t i = 0; i < kTileQueries; ++i) {
      log_sums_[i] = i < count ? job.log_sums[at + i] : std::numeric_limits<float>::infinity();
      products_[i] = 0;
      if (i >= count) continue;
      const Bf16 *out = job.out.data + (at + i) * job.out.stride,
                 *gradient = job.gradient.data + (at + i) * job.gradient.stride;
      for (int64_t c = 0; c < width_; ++c) products_[i] += FloatOf(out[c]) * FloatOf(gradient[c]);
    }
    const auto pack = [&](const Rows& from, std::vector<Bf16>& pairs, std::vector<Bf16>& columns) {
      std::fill(tile_rows_.begin(), tile_rows_.end(), Bf16{0});
      Copy(from, at, count, width_, tile_rows_.data());
      PairRows(tile_rows_.data(), kTileQueries, width_, width_, pairs.data());
      PairColumns(tile_rows_.data(), kTileQueries, width_, width_, columns.data());
    };
    pack(job.q, query_pairs_, query_columns_);
    pack(job.gradient, gradient_pairs_, gradient_columns_);
  }

  void RunTile(int64_t key, int64_t rows, float scale, bool adds_keys) {
    Multiply(rows, kTileQueries, width_, &k_[key * width_], width_, query_columns_.data(), false,
             scores_.data());
    Multiply(rows, kTileQueries, width_, &v_[key * width_], width_, gradient_columns_.data(), false,
             value_products_.data());
    DifferentiateTile({.rows = rows,
                       .scale = scale,
                       .scores = scores_.data(),
                       .value_products = value_products_.data(),
                       .log_sums = log_sums_.data(),
                       .products = products_.data(),
                       .shares = shares_.data(),
                       .gradients = score_gradients_.data(),
                       .gradient_pairs = score_pairs_.data()});
    // The key of zeros has a share that may be any number, infinity too.
    if (key + rows > keys_) {
      for (int64_t i = 0; i < kTileQueries; ++i) score_pairs_[(rows - 2) * kTileQueries + 2 * i + 1] = 0;
    }
    Multiply(rows, width_, kTileQueries, shares_.data(), kTileQueries, gradient_pairs_.data(), adds_keys,
             &of_v_[key * width_]);
    Multiply(rows, width_, kTileQueries, score_gradients_.data(), kTileQueries, query_pairs_.data(),
             adds_keys, &of_k_[key * width_]);
    // [d,queries]: the transpose of the queries' gradients.
    Multiply(width_, kTileQueries, rows, &k_transposed_[key], even_keys_, score_pairs_.data(), key > 0,
             of_q_.data());
  }

  void GiveQueries(const Job& job, int64_t at, int64_t count, float scale) {
    for (int64_t i = 0; i < count; ++i) {
      Bf16* to = job.q_gradient.data + (at + i) * job.q_gradient.stride;
      for (int64_t c = 0; c < width_; ++c) Round(of_q_[c * kTileQueries + i] * scale, &to[c]);
    }
  }

  void Give(const float* from, float scale, const Rows& to) const {
    for (int64_t row = 0; row < keys_; ++row) {
      for (int64_t c = 0; c < width_; ++c)
        Round(from[row * width_ + c] * scale, &to.data[row * to.stride + c]);
    }
  }

  const int64_t queries_, keys_, even_keys_, width_;
  std::vector<Bf16> k_, k_transposed_, v_;
  std::vector<Bf16> query_pairs_, query_columns_, gradient_pairs_, gradient_columns_, tile_rows_;
  std::vector<float> scores_, value_products_;
  std::vector<Bf16> shares_, score_gradients_, score_pairs_;
  std::vector<float> log_sums_, products_;
  std::vector<float> of_k_, of_v_, of_q_;
};

// Of a [N,L,C] tensor whose last dimension is dense.
Rows HeadOf(const Tensor& x, int64_t sample, int64_t head, int64_t width) {
  auto* data = reinterpret_cast<Bf16*>(x.data_ptr<at::BFloat16>());
  return {.data = data + sample * x.stride(0) + head * width, .count = x.size(1), .stride = x.stride(1)};
}

Tensor DenseRows(const Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& q, const Tensor& k,
                        const Tensor& v, int64_t heads) {
    const auto made = at::_scaled_dot_product_flash_attention_for_cpu(
        SplitHeads(q, heads), SplitHeads(k, heads), SplitHeads(v, heads));
    const Tensor out = std::get<0>(made).transpose(1, 2).flatten(2).contiguous();
    ctx->save_for_backward({q, k, v, out, std::get<1>(made).contiguous()});
    ctx->saved_data["heads"] = heads;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor q = DenseRows(saved[0]), k = DenseRows(saved[1]), v = DenseRows(saved[2]), &out = saved[3];
    const Tensor &log_sums = saved[4], gradient = DenseRows(gradients[0]);  // log_sums [N,heads,Lq]
    const int64_t heads = ctx->saved_data["heads"].toInt(), width = q.size(2) / heads, queries = q.size(1);
    const Tensor of_q = torch::empty(q.sizes(), q.options()), of_k = torch::empty(k.sizes(), k.options()),
                 of_v = torch::empty(v.sizes(), v.options());
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
    at::parallel_for(0, q.size(0) * heads, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
      HeadGradient work(queries, k.size(1), width);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = i / heads, h = i % heads;
        work.Run({.q = HeadOf(q, n, h, width),
                  .k = HeadOf(k, n, h, width),
                  .v = HeadOf(v, n, h, width),
                  .out = HeadOf(out, n, h, width),
                  .gradient = HeadOf(gradient, n, h, width),
                  .log_sums = log_sums.const_data_ptr<float>() + i * queries,
                  .q_gradient = HeadOf(of_q, n, h, width),
                  .k_gradient = HeadOf(of_k, n, h, width),
                  .v_gradient = HeadOf(of_v, n, h, width)},
                 scale);
      }
      at::native::cpublas::brgemm_release();
    });
    return {of_q, of_k, of_v, Tensor()};
  }
};

}  // namespace

bool TrainsAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads) {
  if (!torch::GradMode::is_enabled() || !q.is_cpu() || q.numel() == 0 || k.numel() == 0) return false;
  for (const Tensor* x : {&q, &k, &v}) {
    if (x->scalar_type() != torch::kBFloat16 || x->layout() != torch::kStrided) return false;
  }
  const int64_t width = q.size(2) / heads;
  return width % 2 == 0 && width <= kWidestHead && HasAvx512Bf16() &&
         at::native::cpublas::could_pack(torch::kBFloat16);
}

Tensor TrainedAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads) {
  return AttentionFunction::apply(q, k, v, heads);
}

}  // namespace ip2p::kernels
