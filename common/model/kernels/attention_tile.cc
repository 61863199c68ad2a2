// See attention_tile.h.
#include "common/model/kernels/attention_tile.h"

#include <cstring>

#include "common/model/kernels/cpu_features.h"
#if defined(__x86_64__)
#include "common/model/kernels/simd_math.h"
#endif

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

constexpr int64_t kLanes = 16;
constexpr __mmask16 kAll = 0xFFFF;

IP2P_AVX512 void Differentiate(const AttentionTile& t) {
  const __m512 scale = _mm512_set1_ps(t.scale);
  for (int64_t row = 0; row < t.rows; row += 2) {
    for (int64_t c = 0; c < kTileQueries; c += kLanes) {
      const __m512 log_sum = LoadFloats(t.log_sums + c, kAll), product = LoadFloats(t.products + c, kAll);
      __m512i halves[2];
      for (int64_t i = 0; i < 2; ++i) {
        const int64_t at = (row + i) * kTileQueries + c;
        const __m512 share = Exp(_mm512_fmsub_ps(LoadFloats(t.scores + at, kAll), scale, log_sum));
        const __m512 gradient =
            _mm512_mul_ps(share, _mm512_sub_ps(LoadFloats(t.value_products + at, kAll), product));
        StoreFloats(t.shares + at, kAll, share);
        halves[i] = RoundedBits(gradient);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.gradients + at), _mm512_cvtepi32_epi16(halves[i]));
      }
      _mm512_storeu_si512(t.gradient_pairs + row * kTileQueries + 2 * c,
                          _mm512_or_si512(halves[0], _mm512_slli_epi32(halves[1], 16)));
    }
  }
}

}  // namespace

void DifferentiateTile(const AttentionTile& tile) { Differentiate(tile); }

#else  // HasAvx512() is false here

void DifferentiateTile(const AttentionTile&) {}

#endif

void PairColumns(const Bf16* from, int64_t rows, int64_t width, int64_t stride, Bf16* to) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t pair = 0; pair < width / 2; ++pair)
      std::memcpy(to + (pair * rows + row) * 2, from + row * stride + pair * 2, 2 * sizeof(Bf16));
  }
}

void PairRows(const Bf16* from, int64_t rows, int64_t width, int64_t stride, Bf16* to) {
  for (int64_t row = 0; row < rows; row += 2, to += 2 * width) {
    const Bf16* first = from + row * stride;
    const bool whole = row + 1 < rows;
    for (int64_t c = 0; c < width; ++c) {
      to[2 * c] = first[c];
      to[2 * c + 1] = whole ? first[stride + c] : Bf16{0};
    }
  }
}

}  // namespace ip2p::kernels
