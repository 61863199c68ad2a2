// See flash_pack.h.
#include "common/model/kernels/flash_pack.h"

#if defined(__x86_64__)
#include <algorithm>
#include <cmath>

namespace ip2p::kernels {
namespace {

constexpr int32_t kTwoOnes = 0x3F803F80;  // a pair of bf16

// 32 elements from column `begin` of a row of `width`, zeros past its end.
IP2P_AVX512_BF16 inline __m512i LoadStep(const Bf16* row, int64_t begin, int64_t width) {
  const int64_t left = std::clamp<int64_t>(width - begin, 0, kStep);
  const __mmask32 mask = left == kStep ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
  return _mm512_maskz_loadu_epi16(mask, row + begin);
}

IP2P_AVX512_BF16 inline __m512i LoadTile(const Bf16* row, int64_t begin, int64_t width) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(FirstLanes(width - begin), row + begin));
}

IP2P_AVX512_BF16 inline __m512 AddSquares(__m512 sum, __m512i pairs) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(pairs), reinterpret_cast<__m512bh>(pairs));
}

}  // namespace

IP2P_AVX512_BF16 float PackKeysAndValues(const FlashShape& shape, const FlashHead& head,
                                         const FlashWorkspace& work) {
  const int64_t steps = shape.depth_steps(), tiles = shape.value_tiles();
  float largest = 0, poison = 0;
  for (int64_t key = 0; key < shape.key_tiles() * kTile; ++key) {
    Bf16* to = work.keys + key / kTile * steps * kTileBf16 + key % kTile * kStep;
    __m512 squares = _mm512_setzero_ps();
    for (int64_t step = 0; step < steps; ++step) {
      const __m512i x = key < shape.key_count
                            ? LoadStep(head.k + key * head.k_stride, step * kStep, shape.head_dim)
                            : _mm512_setzero_si512();
      _mm512_store_si512(to + step * kTileBf16, x);
      squares = AddSquares(squares, x);
    }
    const float square = _mm512_reduce_add_ps(squares);
    largest = std::max(largest, square);
    poison += square * 0;
  }

  for (int64_t step = 0; step < shape.key_steps(); ++step) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const auto ones = static_cast<__mmask16>(FirstLanes(shape.head_dim + 1 - tile * kTile) &
                                               ~FirstLanes(shape.head_dim - tile * kTile));
      __m512i pairs[kTile];  // row i: keys 2 i and 2 i + 1 of 16 columns, then transposed
      for (int i = 0; i < kTile; ++i) {
        const int64_t key = step * kStep + 2 * i;
        const Bf16* row = head.v + key * head.v_stride;
        __m512i even = _mm512_setzero_si512(), odd = even;
        if (key < shape.key_count) even = LoadTile(row, tile * kTile, shape.head_dim);
        if (key + 1 < shape.key_count) odd = LoadTile(row + head.v_stride, tile * kTile, shape.head_dim);
        pairs[i] = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
        pairs[i] = _mm512_mask_mov_epi32(pairs[i], ones, _mm512_set1_epi32(kTwoOnes));
      }
      Transpose16x16(pairs);
      Bf16* to = work.values + (step * tiles + tile) * kTileBf16;
      for (int i = 0; i < kTile; ++i) _mm512_store_si512(to + i * kStep, pairs[i]);
    }
  }
  return std::sqrt(largest) + poison;
}

IP2P_AVX512_BF16 void PackQueries(const FlashShape& shape, const FlashHead& head, int64_t first,
                                  int64_t count, const FlashWorkspace& work, __m512 (&norms)[kQueryTiles]) {
  for (int tile = 0; tile < kQueryTiles; ++tile) {
    __m512 squares = _mm512_setzero_ps();
    for (int64_t step = 0; step < shape.depth_steps(); ++step) {
      __m512i pairs[kTile];
      for (int i = 0; i < kTile; ++i) {
        const int64_t query = tile * kTile + i;
        pairs[i] = query < count
                       ? LoadStep(head.q + (first + query) * head.q_stride, step * kStep, shape.head_dim)
                       : _mm512_setzero_si512();
      }
      Transpose16x16(pairs);
      Bf16* to = work.queries + (step * kQueryTiles + tile) * kTileBf16;
      for (int i = 0; i < kTile; ++i) {
        _mm512_store_si512(to + i * kStep, pairs[i]);
        squares = AddSquares(squares, pairs[i]);
      }
    }
    norms[tile] = _mm512_sqrt_ps(squares);
  }
}

IP2P_AVX512_BF16 void UnpackOutputs(const FlashShape& shape, const FlashHead& head, int64_t first,
                                    int64_t count, const FlashWorkspace& work,
                                    const __m512 (&poison)[kQueryTiles]) {
  const int64_t sums_tile = shape.head_dim / kTile, sums_row = shape.head_dim % kTile;
  const float* sums = work.outputs + sums_tile * kQueryTiles * kTileFloats + sums_row * kTile;
  for (int64_t tile = 0; tile * kTile < shape.head_dim; ++tile) {
    const __mmask16 columns = FirstLanes(shape.head_dim - tile * kTile);
    for (int q = 0; q < kQueryTiles; ++q) {
      const __m512 factor = _mm512_div_ps(_mm512_add_ps(_mm512_set1_ps(1.0f), poison[q]),
                                          _mm512_load_ps(sums + q * kTileFloats));
      const float* from = work.outputs + (tile * kQueryTiles + q) * kTileFloats;
      __m512i rows[kTile];
      for (int i = 0; i < kTile; ++i) {
        rows[i] = _mm512_castps_si512(_mm512_mul_ps(_mm512_load_ps(from + i * kTile), factor));
      }
      Transpose16x16(rows);
      const int64_t queries = std::min<int64_t>(count - q * kTile, kTile);
      for (int64_t i = 0; i < queries; ++i) {
        const __m256bh y = _mm512_cvtneps_pbh(_mm512_castsi512_ps(rows[i]));
        Bf16* to = head.out + (first + q * kTile + i) * head.out_stride + tile * kTile;
        _mm256_mask_storeu_epi16(to, columns, reinterpret_cast<__m256i>(y));
      }
    }
  }
}

}  // namespace ip2p::kernels
#endif
