// See geglu_rows.h.
#include "common/model/kernels/geglu_rows.h"

#include "common/model/kernels/simd_math.h"

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

template <typename T>
IP2P_AVX512 void Geglu(const T* x, int64_t count, int64_t width, T* y) {
  constexpr int kLanes = 16;
  for (int64_t row = 0; row < count; ++row, x += 2 * width, y += width) {
    for (int64_t c = 0; c < width; c += kLanes) {
      const __mmask16 lanes = FirstLanes(width - c);
      StoreFloats(y + c, lanes,
                  _mm512_mul_ps(LoadFloats(x + c, lanes), Gelu(LoadFloats(x + width + c, lanes))));
    }
  }
}

}  // namespace

void GegluRows(const float* x, int64_t count, int64_t width, float* y) { Geglu(x, count, width, y); }
void GegluRows(const Bf16* x, int64_t count, int64_t width, Bf16* y) { Geglu(x, count, width, y); }

#else  // HasAvx512() is false here

void GegluRows(const float*, int64_t, int64_t, float*) {}
void GegluRows(const Bf16*, int64_t, int64_t, Bf16*) {}

#endif

}  // namespace ip2p::kernels
