// Small AVX-512 pieces that several kernels share. Included by kernel files only, on x86-64 only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "common/model/kernels/bf16.h"
#include "common/model/kernels/cpu_features.h"

// GCC 12 warns of its own intrinsics' deliberately undefined registers (GCC bug 105593), where they are
// inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace ip2p::kernels {

// The first `count` of 16 lanes, 0 <= count; more than 16 are 16.
inline __mmask16 FirstLanes(int64_t count) {
  return count >= 16 ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// 16 rows of 16 32-bit words: rows become columns.
IP2P_AVX512 inline void Transpose16x16(__m512i (&r)[16]) {
  __m512i t[16];
  for (int i = 0; i < 8; ++i) {  // pairs of rows, word by word
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {  // fours of rows
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  // r[4 i + j], 128-bit lane l: rows 4 i .. 4 i + 3 of column 4 l + j.
  constexpr int kEven = 0x88, kOdd = 0xDD;
  for (int j = 0; j < 4; ++j) {
    const __m512i low_even = _mm512_shuffle_i32x4(r[j], r[4 + j], kEven);
    const __m512i low_odd = _mm512_shuffle_i32x4(r[j], r[4 + j], kOdd);
    const __m512i high_even = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], kEven);
    const __m512i high_odd = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], kOdd);
    t[j] = _mm512_shuffle_i32x4(low_even, high_even, kEven);
    t[4 + j] = _mm512_shuffle_i32x4(low_odd, high_odd, kEven);
    t[8 + j] = _mm512_shuffle_i32x4(low_even, high_even, kOdd);
    t[12 + j] = _mm512_shuffle_i32x4(low_odd, high_odd, kOdd);
  }
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

}  // namespace ip2p::kernels
