// See group_norm_rows.h.
#include "common/model/kernels/group_norm_rows.h"

#include "common/model/kernels/cpu_features.h"
#if defined(__x86_64__)
#include "common/model/kernels/simd_math.h"
#endif

namespace ip2p::kernels {
namespace {

template <typename T>
void SumPlain(Rows<T> x, const float* pivots, float* sums, float* squares) {
  for (int64_t c = 0; c < x.channels; ++c) sums[c] = squares[c] = 0;
  for (int64_t row = 0; row < x.count; ++row) {
    const T* from = x.data + row * x.channels;
    for (int64_t c = 0; c < x.channels; ++c) {
      const float d = FloatOf(from[c]) - pivots[c];
      sums[c] += d;
      squares[c] += d * d;
    }
  }
}

template <typename T>
void ScalePlain(Rows<T> x, const float* scale, const float* shift, T* y) {
  for (int64_t row = 0; row < x.count; ++row) {
    const T* from = x.data + row * x.channels;
    T* to = y + row * x.channels;
    for (int64_t c = 0; c < x.channels; ++c) Round(FloatOf(from[c]) * scale[c] + shift[c], &to[c]);
  }
}

#if defined(__x86_64__)
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

#endif

template <typename T>
void SumOn(Rows<T> x, const float* pivots, float* sums, float* squares) {
#if defined(__x86_64__)
  if (HasAvx512()) return Sum(x, pivots, sums, squares);
#endif
  SumPlain(x, pivots, sums, squares);
}

template <typename T>
void ScaleOn(Rows<T> x, const float* scale, const float* shift, bool silu, T* y) {
#if defined(__x86_64__)
  if (HasAvx512()) return silu ? Scale<true>(x, scale, shift, y) : Scale<false>(x, scale, shift, y);
#endif
  static_cast<void>(silu);
  ScalePlain(x, scale, shift, y);
}

}  // namespace

void SumRows(Rows<float> x, const float* pivots, float* sums, float* squares) {
  SumOn(x, pivots, sums, squares);
}
void SumRows(Rows<Bf16> x, const float* pivots, float* sums, float* squares) {
  SumOn(x, pivots, sums, squares);
}

void ScaleRows(Rows<float> x, const float* scale, const float* shift, bool silu, float* y) {
  ScaleOn(x, scale, shift, silu, y);
}
void ScaleRows(Rows<Bf16> x, const float* scale, const float* shift, bool silu, Bf16* y) {
  ScaleOn(x, scale, shift, silu, y);
}

}  // namespace ip2p::kernels
