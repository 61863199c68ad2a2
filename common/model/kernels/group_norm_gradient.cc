// See group_norm_gradient.h.
#include "common/model/kernels/group_norm_gradient.h"

#include <algorithm>

#include "common/model/kernels/cpu_features.h"
#if defined(__x86_64__)
#include "common/model/kernels/simd_math.h"
#endif

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kRowsAtOnce = 16;  // so that the sums in memory are visited once in 16 rows

// silu'(z) = s (1 + z (1 - s)) with s = 1 / (1 + e^-z)
IP2P_AVX512 inline __m512 SiluSlope(__m512 z) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 s = Reciprocal(_mm512_add_ps(Exp(_mm512_sub_ps(_mm512_setzero_ps(), z)), one));
  return _mm512_mul_ps(s, _mm512_fmadd_ps(z, _mm512_sub_ps(one, s), one));
}

template <typename T>
IP2P_AVX512 inline __m512 GradientAt(const GroupNormGradientRows<T>& r, int64_t at, __mmask16 lanes, __m512 x,
                                     __m512 scale, __m512 shift) {
  const __m512 gradient = LoadFloats(r.gradient + at, lanes);
  return r.silu ? _mm512_mul_ps(gradient, SiluSlope(_mm512_fmadd_ps(x, scale, shift))) : gradient;
}

template <typename T>
IP2P_AVX512 void Sum(const GroupNormGradientRows<T>& r, const float* means, float* sums, float* products) {
  std::fill_n(sums, r.channels, 0.0F);
  std::fill_n(products, r.channels, 0.0F);
  for (int64_t row = 0; row < r.count; row += kRowsAtOnce) {
    const int64_t end = std::min(row + kRowsAtOnce, r.count);
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      const __mmask16 lanes = FirstLanes(r.channels - c);
      const __m512 mean = LoadFloats(means + c, lanes);
      const __m512 scale = LoadFloats(r.scale + c, lanes), shift = LoadFloats(r.shift + c, lanes);
      __m512 sum = LoadFloats(sums + c, lanes), product = LoadFloats(products + c, lanes);
      for (int64_t i = row; i < end; ++i) {
        const __m512 x = LoadFloats(r.x + i * r.channels + c, lanes);
        const __m512 dz = GradientAt(r, i * r.channels + c, lanes, x, scale, shift);
        sum = _mm512_add_ps(sum, dz);
        product = _mm512_fmadd_ps(dz, _mm512_sub_ps(x, mean), product);
      }
      StoreFloats(sums + c, lanes, sum);
      StoreFloats(products + c, lanes, product);
    }
  }
}

template <typename T>
IP2P_AVX512 void Write(const GroupNormGradientRows<T>& r, const float* of_output, const float* of_input,
                       const float* constant, T* y) {
  for (int64_t row = 0; row < r.count; ++row) {
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      const __mmask16 lanes = FirstLanes(r.channels - c);
      const int64_t at = row * r.channels + c;
      const __m512 x = LoadFloats(r.x + at, lanes);
      const __m512 dz =
          GradientAt(r, at, lanes, x, LoadFloats(r.scale + c, lanes), LoadFloats(r.shift + c, lanes));
      const __m512 rest =
          _mm512_fmadd_ps(x, LoadFloats(of_input + c, lanes), LoadFloats(constant + c, lanes));
      StoreFloats(y + at, lanes, _mm512_fmadd_ps(dz, LoadFloats(of_output + c, lanes), rest));
    }
  }
}

}  // namespace

void SumGradientRows(const GroupNormGradientRows<float>& r, const float* means, float* sums,
                     float* products) {
  Sum(r, means, sums, products);
}
void SumGradientRows(const GroupNormGradientRows<Bf16>& r, const float* means, float* sums, float* products) {
  Sum(r, means, sums, products);
}
void GradientRows(const GroupNormGradientRows<float>& r, const float* of_output, const float* of_input,
                  const float* constant, float* y) {
  Write(r, of_output, of_input, constant, y);
}
void GradientRows(const GroupNormGradientRows<Bf16>& r, const float* of_output, const float* of_input,
                  const float* constant, Bf16* y) {
  Write(r, of_output, of_input, constant, y);
}

#else  // HasAvx512() is false here

void SumGradientRows(const GroupNormGradientRows<float>&, const float*, float*, float*) {}
void SumGradientRows(const GroupNormGradientRows<Bf16>&, const float*, float*, float*) {}
void GradientRows(const GroupNormGradientRows<float>&, const float*, const float*, const float*, float*) {}
void GradientRows(const GroupNormGradientRows<Bf16>&, const float*, const float*, const float*, Bf16*) {}

#endif

}  // namespace ip2p::kernels
