// exp of attention scores, straight to bf16 weights in the layout of the next product. No torch.
#pragma once

#include "common/model/kernels/flash_layout.h"

#if defined(__x86_64__)
#include <algorithm>

namespace ip2p::kernels {

// weight = 2^t, t = (score - largest) * log2_scale <= 0, largest per query.
//
// While tiles are being multiplied, 512-bit floating-point instructions have one port and integer ones two,
// so exp2 is half integer code, 4 and 4 instructions:
//   z = t + 400          the addition leaves t in fixed point, 15 fractional bits, at the end of z's 23
//   b = z << 8           by bytes: the fraction is where a mantissa lies, the integer part where the exponent
//   does m = 1 + f            b's mantissa under the exponent of 1 d = 2^111 (2 + r)    r = 2^f - (1 + f), a
//   cubic in m exact to 7e-5 (bf16 keeps 4e-3) b + d                as integers: n + 400 + 127 + 111 + 1 is n
//   + 127 modulo 2^9, the bits of 2^n 2^f
// d also adds half of bf16's last place, so that cutting off 16 bits rounds. The sum of the weights comes out
// of the next product (a row of ones beside the values), so that it is the sum of the rounded ones.
class Softmax {
 public:
  static constexpr float kLowest =
      -126.0f;  // of t; below it the exponent wraps round, so wild scores are clamped to it

  IP2P_AVX512_BF16 inline Softmax(float log2_scale, const __m512 (&largest)[kQueryTiles])
      : scale_(_mm512_set1_ps(log2_scale)),
        offset0_(_mm512_fnmadd_ps(largest[0], scale_, _mm512_set1_ps(kFixedPoint))),
        offset1_(_mm512_fnmadd_ps(largest[1], scale_, _mm512_set1_ps(kFixedPoint))),
        lowest_(_mm512_set1_ps(kFixedPoint + kLowest)),
        c3_(_mm512_set1_ps(0.07802452f * kScale)),
        c2_(_mm512_set1_ps(-0.0080064116f * kScale)),
        c1_(_mm512_set1_ps(-0.52222723f * kScale)),
        c0_(_mm512_set1_ps(2.4560406f * kScale)),
        mantissa_(_mm512_set1_epi32(0x007FFFFF)),
        one_(_mm512_set1_epi32(0x3F800000)),
        byte_left_(_mm512_set4_epi32(0x0E0D0C80, 0x0A090880, 0x06050480, 0x02010080)),
        word_right_(_mm512_set4_epi32(static_cast<int>(0x80800F0E), static_cast<int>(0x80800B0A),
                                      static_cast<int>(0x80800706), static_cast<int>(0x80800302))) {}

  // 16 keys for each tile of queries: scores in tiles of sums, weights in half a right tile each (the other
  // half belongs to the next 16). Of the keys, the first `valid` exist; the others get no weight. kClamp: t
  // may lie below kLowest.
  template <bool kClamp>
  IP2P_AVX512_BF16 inline void Tile(const float* scores, int64_t valid, Bf16* weights) const {
    for (int q = 0; q < kQueryTiles; ++q, scores += kTileFloats, weights += kTileBf16) {
      const __m512 offset = q == 0 ? offset0_ : offset1_;
#pragma GCC unroll 8
      for (int pair = 0; pair < kTile / 2; ++pair) {
        _mm512_store_si512(weights + pair * kStep, Pair<kClamp>(scores + 2 * pair * kTile, offset));
      }
      if (valid >= kTile) continue;
      for (int64_t pair = std::max<int64_t>(valid, 0) / 2; pair < kTile / 2; ++pair) {
        const __mmask32 keep = valid % 2 != 0 && pair == valid / 2 ? kEvenKeys : 0;
        _mm512_store_si512(weights + pair * kStep, _mm512_maskz_loadu_epi16(keep, weights + pair * kStep));
      }
    }
  }

 private:
  static constexpr float kFixedPoint = 400.0f;
  static constexpr float kScale = 0x1p111f;
  static constexpr __mmask32 kOddKeys = 0xAAAAAAAA, kEvenKeys = 0x55555555;

  // Two rows of scores to a row of a right tile.
  template <bool kClamp>
  IP2P_AVX512_BF16 inline __m512i Pair(const float* scores, __m512 offset) const {
    const __m512i even = Exp2<kClamp>(_mm512_load_ps(scores), offset);
    const __m512i odd = Exp2<kClamp>(_mm512_load_ps(scores + kTile), offset);
    return _mm512_mask_blend_epi16(kOddKeys, _mm512_shuffle_epi8(even, word_right_), odd);
  }

  template <bool kClamp>
  IP2P_AVX512_BF16 inline __m512i Exp2(__m512 score, __m512 offset) const {
    __m512 z = _mm512_fmadd_ps(score, scale_, offset);
    if constexpr (kClamp) z = _mm512_max_ps(z, lowest_);
    const __m512i b = _mm512_shuffle_epi8(_mm512_castps_si512(z), byte_left_);
    constexpr int kAndOr = 0xEA;
    const __m512 m = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(b, mantissa_, one_, kAndOr));
    __m512 d = _mm512_fmadd_ps(c3_, m, c2_);
    d = _mm512_fmadd_ps(d, m, c1_);
    d = _mm512_fmadd_ps(d, m, c0_);
    return _mm512_add_epi32(b, _mm512_castps_si512(d));
  }

  const __m512 scale_, offset0_, offset1_, lowest_, c3_, c2_, c1_, c0_;
  const __m512i mantissa_, one_, byte_left_, word_right_;
};

}  // namespace ip2p::kernels
#endif
