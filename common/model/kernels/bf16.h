// bfloat16 as bits, for code that sees no torch.
#pragma once

#include <bit>
#include <cstdint>

namespace ip2p::kernels {

using Bf16 = uint16_t;  // the bits

// Inlined whatever the attributes of who calls, or loops are not vectorised.
[[gnu::always_inline]] inline float FloatOf(float x) { return x; }
[[gnu::always_inline]] inline float FloatOf(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

inline void Round(float x, float* y) { *y = x; }
// To the nearest, ties to even; NaN stays NaN.
inline void Round(float x, Bf16* y) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  *y = static_cast<Bf16>((x == x ? rounded : bits | 0x400000) >> 16);
}

}  // namespace ip2p::kernels
