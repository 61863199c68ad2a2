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

// 32 keys of 16 columns of a set of values, transposed.
IP2P_AVX512_BF16 inline void PackValueTile(const FlashShape& shape, const FlashHead& head, int64_t set,
                                           int64_t step, int64_t tile, Bf16* to) {
  const int64_t end = shape.head_dim + (set == 0 ? 1 : 0);
  const auto ones =
      static_cast<__mmask16>(FirstLanes(end - tile * kTile) & ~FirstLanes(shape.head_dim - tile * kTile));
  __m512i pairs[kTile];  // row i: keys 2 i and 2 i + 1
  for (int i = 0; i < kTile; ++i) {
    const int64_t key = step * kStep + 2 * i;
    const Bf16* row = head.v + set * head.v_set_stride + key * head.v_stride;
    __m512i even = _mm512_setzero_si512(), odd = even;
    if (key < shape.key_count) even = LoadTile(row, tile * kTile, shape.head_dim);
    if (key + 1 < shape.key_count) odd = LoadTile(row + head.v_stride, tile * kTile, shape.head_dim);
    pairs[i] = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
    pairs[i] = _mm512_mask_mov_epi32(pairs[i], ones, _mm512_set1_epi32(kTwoOnes));
  }
  Transpose16x16(pairs);
  for (int i = 0; i < kTile; ++i) _mm512_store_si512(to + i * kStep, pairs[i]);
}

// 16 columns of a set of results: 16 queries' sums times their factors, as rows of bf16.
IP2P_AVX512_BF16 inline void UnpackTile(const float* from, __m512 factor, int64_t rows, __mmask16 columns,
                                        Bf16* to, int64_t stride) {
  __m512i tile[kTile];
  for (int i = 0; i < kTile; ++i) {
    tile[i] = _mm512_castps_si512(_mm512_mul_ps(_mm512_load_ps(from + i * kTile), factor));
  }
  Transpose16x16(tile);
  for (int64_t i = 0; i < rows; ++i, to += stride) {
    const __m256bh y = _mm512_cvtneps_pbh(_mm512_castsi512_ps(tile[i]));
    _mm256_mask_storeu_epi16(to, columns, reinterpret_cast<__m256i>(y));
  }
}

}  // namespace

IP2P_AVX512_BF16 float PackKeysAndValues(const FlashShape& shape, const FlashHead& head,
                                         const FlashWorkspace& work) {
  const int64_t steps = shape.depth_steps();
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
    Bf16* to = work.values + step * shape.value_tiles() * kTileBf16;
    for (int64_t set = 0; set < shape.value_sets; ++set) {
      for (int64_t tile = 0; tile < shape.set_tiles(set); ++tile, to += kTileBf16) {
        PackValueTile(shape, head, set, step, tile, to);
      }
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
  for (int64_t set = 0; set < shape.value_sets; ++set) {
    const float* outputs = work.outputs + shape.first_tile(set) * kQueryTiles * kTileFloats;
    for (int64_t tile = 0; tile * kTile < shape.head_dim; ++tile) {
      const __mmask16 columns = FirstLanes(shape.head_dim - tile * kTile);
      for (int q = 0; q < kQueryTiles; ++q) {
        const __m512 factor = _mm512_div_ps(_mm512_add_ps(_mm512_set1_ps(1.0f), poison[q]),
                                            _mm512_load_ps(sums + q * kTileFloats));
        UnpackTile(
            outputs + (tile * kQueryTiles + q) * kTileFloats, factor,
            std::min<int64_t>(count - q * kTile, kTile), columns,
            head.out + set * head.out_set_stride + (first + q * kTile) * head.out_stride + tile * kTile,
            head.out_stride);
      }
    }
  }
}

}  // namespace ip2p::kernels
#endif
