// See moments8.h. A number r in (0, 1] is its float32 bits less all but three bits of mantissa, counted from
// the smallest exponent there is: neighbours in that count are neighbours on the line, so that adding 20
// random bits before the lower 20 are cut off rounds by chance.
#include "common/training/moments8.h"

#include <algorithm>
#include <bit>
#include <cmath>

// Compiled for the processors that there are; the program takes its own when it starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define IP2P_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define IP2P_WIDE
#endif

namespace ip2p {
namespace {

constexpr int kCut = 20;                               // bits of mantissa that go
constexpr uint32_t kOne = 127U << 3;                   // 1.0 without them
constexpr uint32_t kSignedBase = kOne - (15U << 3);    // 2^-15 is the smallest
constexpr uint32_t kUnsignedBase = kOne - (31U << 3);  // 2^-31
constexpr uint32_t kRandomMask = (1U << kCut) - 1;

// Murmur3's finaliser.
inline uint32_t Mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6BU;
  x = (x ^ (x >> 13)) * 0xC2B2AE35U;
  return x ^ (x >> 16);
}

float LargestOf(const float* values) {
  float largest = 0;
  for (int i = 0; i < kMomentBlock; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest;
}

}  // namespace

IP2P_WIDE void DecodeSigned(const uint8_t* codes, float scale, float* values) {
  for (int i = 0; i < kMomentBlock; ++i) {
    const uint32_t size = codes[i] & 0x7FU;  // 0: none, else one more than the count from 2^-15
    const uint32_t bits = size == 0 ? 0 : (kSignedBase + size - 1) << kCut;
    values[i] = std::bit_cast<float>(bits | (codes[i] & 0x80U) << 24) * scale;
  }
}

IP2P_WIDE float EncodeSigned(const float* values, uint32_t seed, uint8_t* codes) {
  const float scale = LargestOf(values), inverse = scale > 0 ? 1 / scale : 0;
  constexpr float kSmallest = 0x1p-15F;
  for (int i = 0; i < kMomentBlock; ++i) {
    const uint32_t sign = (std::bit_cast<uint32_t>(values[i]) >> 24) & 0x80U;
    const float size = std::min(std::fabs(values[i]) * inverse, 1.0F);
    const uint32_t random = Mix(seed + static_cast<uint32_t>(i) * 0x9E3779B9U) & kRandomMask;
    const uint32_t count = ((std::bit_cast<uint32_t>(size) + random) >> kCut) - kSignedBase + 1;
    // Below the smallest: that or nothing, in proportion.
    const uint32_t tiny = size * (1U << kCut) > static_cast<float>(random) * kSmallest ? 1 : 0;
    codes[i] = static_cast<uint8_t>(sign | (size < kSmallest ? tiny : count));
  }
  return scale;
}

IP2P_WIDE void DecodeUnsigned(const uint8_t* codes, float scale, float* values) {
  for (int i = 0; i < kMomentBlock; ++i)
    values[i] = std::bit_cast<float>((kUnsignedBase + codes[i]) << kCut) * scale;
}

IP2P_WIDE float EncodeUnsigned(const float* values, uint32_t seed, uint8_t* codes) {
  const float scale = LargestOf(values), inverse = scale > 0 ? 1 / scale : 0;
  for (int i = 0; i < kMomentBlock; ++i) {
    const float size = std::clamp(values[i] * inverse, 0x1p-31F, 1.0F);
    const uint32_t random = Mix(seed + static_cast<uint32_t>(i) * 0x9E3779B9U) & kRandomMask;
    codes[i] = static_cast<uint8_t>(((std::bit_cast<uint32_t>(size) + random) >> kCut) - kUnsignedBase);
  }
  return scale;
}

}  // namespace ip2p
