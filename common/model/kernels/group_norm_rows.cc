// See group_norm_rows.h.
#include "common/model/kernels/group_norm_rows.h"

#include "common/model/kernels/simd_math.h"

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

constexpr int kLanes = 16;
constexpr int64_t kRowsAtOnce = 16;  // so that the sums in memory are visited once in 16 rows

template <typename T>
IP2P_AVX512 void Sum(Rows<T> x, const float* pivots, float* sums, float* squares) {
  for (int64_t c = 0; c < x.channels; c += kLanes) {
    const __mmask16 lanes = FirstLanes(x.channels - c);
    StoreFloats(sums + c, lanes, _mm512_setzero_ps());
    StoreFloats(squares + c, lanes, _mm512_setzero_ps());
  }
  for (int64_t row = 0; row < x.count; row += kRowsAtOnce) {
    const int64_t end = row + kRowsAtOnce < x.count ? row + kRowsAtOnce : x.count;
    for (int64_t c = 0; c < x.channels; c += kLanes) {
      const __mmask16 lanes = FirstLanes(x.channels - c);
      const __m512 pivot = LoadFloats(pivots + c, lanes);
      __m512 sum = LoadFloats(sums + c, lanes), square = LoadFloats(squares + c, lanes);
      for (int64_t r = row; r < end; ++r) {
        const __m512 d = _mm512_sub_ps(LoadFloats(x.data + r * x.channels + c, lanes), pivot);
        sum = _mm512_add_ps(sum, d);
        square = _mm512_fmadd_ps(d, d, square);
      }
      StoreFloats(sums + c, lanes, sum);
      StoreFloats(squares + c, lanes, square);
    }
  }
}

template <bool kSilu, typename T>
IP2P_AVX512 void Scale(Rows<T> x, const float* scale, const float* shift, T* y) {
  for (int64_t row = 0; row < x.count; ++row) {
    const T* from = x.data + row * x.channels;
    T* to = y + row * x.channels;
    for (int64_t c = 0; c < x.channels; c += kLanes) {
      const __mmask16 lanes = FirstLanes(x.channels - c);
      __m512 v = LoadFloats(from + c, lanes);
      v = _mm512_fmadd_ps(v, LoadFloats(scale + c, lanes), LoadFloats(shift + c, lanes));
      if constexpr (kSilu) v = Silu(v);
      StoreFloats(to + c, lanes, v);
    }
  }
}

}  // namespace

void SumRows(Rows<float> x, const float* pivots, float* sums, float* squares) {
  Sum(x, pivots, sums, squares);
}
void SumRows(Rows<Bf16> x, const float* pivots, float* sums, float* squares) {
  Sum(x, pivots, sums, squares);
}

void ScaleRows(Rows<float> x, const float* scale, const float* shift, bool silu, float* y) {
  silu ? Scale<true>(x, scale, shift, y) : Scale<false>(x, scale, shift, y);
}
void ScaleRows(Rows<Bf16> x, const float* scale, const float* shift, bool silu, Bf16* y) {
  silu ? Scale<true>(x, scale, shift, y) : Scale<false>(x, scale, shift, y);
}

#else  // HasAvx512() is false here

void SumRows(Rows<float>, const float*, float*, float*) {}
void SumRows(Rows<Bf16>, const float*, float*, float*) {}
void ScaleRows(Rows<float>, const float*, const float*, bool, float*) {}
void ScaleRows(Rows<Bf16>, const float*, const float*, bool, Bf16*) {}

#endif

}  // namespace ip2p::kernels
