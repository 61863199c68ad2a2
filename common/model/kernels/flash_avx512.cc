// Fused attention on AVX-512 bf16 dot products (Cooper Lake, Zen 4 and later).
#include <cstring>

#include "common/model/kernels/flash.h"
#include "common/model/kernels/flash_run.h"

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

// Sums of kRows rows of one left tile, in registers. 8 rows are 16 chains of dot products.
template <int kRows>
IP2P_AVX512_BF16 inline void MultiplyRows(const TileProduct& p, const Bf16* left, float* sums) {
  static_assert(kQueryTiles == 2);
  __m512 acc[2][kRows];
  for (int r = 0; r < kRows; ++r) {
    acc[0][r] = p.accumulate ? _mm512_load_ps(sums + r * kTile) : _mm512_setzero_ps();
    acc[1][r] = p.accumulate ? _mm512_load_ps(sums + kTileFloats + r * kTile) : _mm512_setzero_ps();
  }
  const Bf16* right = p.right;
  for (int64_t step = 0; step < p.steps; ++step, left += p.step_stride, right += kQueryTiles * kTileBf16) {
    const int64_t pairs = step + 1 == p.steps ? p.last_pairs : kTile;
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const auto b0 = reinterpret_cast<__m512bh>(_mm512_load_si512(right + pair * kStep));
      const auto b1 = reinterpret_cast<__m512bh>(_mm512_load_si512(right + kTileBf16 + pair * kStep));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        int32_t two;
        std::memcpy(&two, left + r * kStep + 2 * pair, sizeof(two));
        const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(two));
        acc[0][r] = _mm512_dpbf16_ps(acc[0][r], a, b0);
        acc[1][r] = _mm512_dpbf16_ps(acc[1][r], a, b1);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(sums + r * kTile, acc[0][r]);
    _mm512_store_ps(sums + kTileFloats + r * kTile, acc[1][r]);
  }
}

struct Avx512Machine {
  IP2P_AVX512_BF16 static void Multiply(const TileProduct& p) {
    constexpr int kFast = 8;
    for (int64_t i = 0; i < p.lefts; ++i) {
      const Bf16* left = p.left + i * p.left_stride;
      float* sums = p.sums + i * (kQueryTiles * kTileFloats);
      int64_t rows = i + 1 == p.lefts ? p.last_rows : kTile;
      for (; rows >= kFast; rows -= kFast, left += kFast * kStep, sums += kFast * kTile) {
        MultiplyRows<kFast>(p, left, sums);
      }
      for (; rows > 0; --rows, left += kStep, sums += kTile) MultiplyRows<1>(p, left, sums);
    }
  }
};

}  // namespace

IP2P_AVX512_BF16 void FlashAvx512(const FlashJob& job, int64_t begin, int64_t end) {
  RunFlashTasks<Avx512Machine>(job, begin, end);
}

#else

void FlashAvx512(const FlashJob&, int64_t, int64_t) {}  // HasAvx512Bf16() is false here

#endif

}  // namespace ip2p::kernels
