// See round_rows.h.
#include "common/model/kernels/round_rows.h"

#include "common/model/kernels/cpu_features.h"
#if defined(__x86_64__)
#include "common/model/kernels/simd_math.h"
#endif

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

IP2P_AVX512 void RoundWide(const float* x, int64_t count, Bf16* y) {
  constexpr int kLanes = 16;
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  for (int64_t i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = FirstLanes(count - i);
    const __m512 value = LoadFloats(x + i, lanes);
    // A NaN of many ones would round to a number.
    StoreFloats(y + i, lanes, _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), nan));
  }
}

}  // namespace
#endif

void RoundRows(const float* x, int64_t count, Bf16* y) {
#if defined(__x86_64__)
  if (HasAvx512()) return RoundWide(x, count, y);
#endif
  for (int64_t i = 0; i < count; ++i) Round(x[i], &y[i]);
}

}  // namespace ip2p::kernels
