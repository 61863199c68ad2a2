// Elementary functions and bf16 access on 16 floats. Included by kernel files only, on x86-64 only. NaN stays
// NaN.
#pragma once

#include "common/model/kernels/simd.h"

#if defined(__x86_64__)
namespace ip2p::kernels {

// The first lanes of 16 floats; the others read as 0 and are not touched in memory.
IP2P_AVX512 inline __m512 LoadFloats(const float* from, __mmask16 lanes) {
  return _mm512_maskz_loadu_ps(lanes, from);
}
IP2P_AVX512 inline __m512 LoadFloats(const Bf16* from, __mmask16 lanes) {
  const __m512i bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

// The bf16 of each lane, to nearest, ties to even, in its lower half; the upper half is zero.
IP2P_AVX512 inline __m512i RoundedBits(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), last);
  return _mm512_srli_epi32(rounded, 16);
}

IP2P_AVX512 inline void StoreFloats(float* to, __mmask16 lanes, __m512 x) {
  _mm512_mask_storeu_ps(to, lanes, x);
}
IP2P_AVX512 inline void StoreFloats(Bf16* to, __mmask16 lanes, __m512 x) {
  _mm256_mask_storeu_epi16(to, lanes, _mm512_cvtepi32_epi16(RoundedBits(x)));
}

// e^x, relative error about 1e-7 (the polynomial is Cephes' expf). Overflows to infinity, underflows to 0.
IP2P_AVX512 inline __m512 Exp(__m512 x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  x = _mm512_max_ps(_mm512_set1_ps(-150.0f), _mm512_min_ps(_mm512_set1_ps(150.0f), x));  // x last: NaN passes
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), kNearest);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);  // ln 2 in two parts
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
  return _mm512_scalef_ps(p, n);
}

// 1 / x for 2^-100 < x < 2^100, and 0 for infinity; relative error about 1e-7.
IP2P_AVX512 inline __m512 Reciprocal(__m512 x) {
  const __m512 y = _mm512_rcp14_ps(x);
  const __m512 error = _mm512_fnmadd_ps(x, y, _mm512_set1_ps(1.0f));
  const __mmask16 finite = _mm512_cmp_ps_mask(x, _mm512_set1_ps(0x1p100f), _CMP_LT_OQ);
  return _mm512_mask_fmadd_ps(y, finite, error, y);
}

// x / (1 + e^-x)
IP2P_AVX512 inline __m512 Silu(__m512 x) {
  const __m512 e = Exp(_mm512_sub_ps(_mm512_setzero_ps(), x));
  return _mm512_mul_ps(x, Reciprocal(_mm512_add_ps(e, _mm512_set1_ps(1.0f))));
}

// x (1 + erf(x / sqrt 2)) / 2, absolute error about 2e-7 |x|: Abramowitz and Stegun 7.1.26, erfc(z) = t p(t)
// e^(-z^2) with t = 1 / (1 + 0.3275911 z).
IP2P_AVX512 inline __m512 Gelu(__m512 x) {
  const __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
  const __m512 t = Reciprocal(_mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), _mm512_set1_ps(1.0f)));
  __m512 p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  const __m512 e = Exp(_mm512_fnmadd_ps(z, z, _mm512_setzero_ps()));
  const __m512 half_erfc = _mm512_mul_ps(_mm512_mul_ps(p, t), _mm512_mul_ps(e, _mm512_set1_ps(0.5f)));
  // Negative x: the tail itself. Others, NaN among them: 1 less the tail.
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 share =
      _mm512_mask_mov_ps(_mm512_sub_ps(_mm512_set1_ps(1.0f), half_erfc), negative, half_erfc);
  return _mm512_mul_ps(x, share);
}

}  // namespace ip2p::kernels
#endif
