// AdamW's moments in 8 bits (after Dettmers et al., arXiv 2110.02861): blocks of 256, each with the largest
// of its values as its scale, and small floating-point numbers relative to it. No torch; pure functions.
//
// Rounding is by chance, so that the mean is kept: to the nearest, a moment that decays by a thousandth a
// step would never move. What chance decides follows from `seed` alone, so that a resumed run is the same
// bits.
#pragma once

#include <cstdint>

namespace ip2p {

constexpr int kMomentBlock = 256;

// Signed, of the first moment: 4 bits of exponent and 3 of mantissa. From 2^-15 of the scale up, and 0.
void DecodeSigned(const uint8_t* codes, float scale, float* values);
float EncodeSigned(const float* values, uint32_t seed, uint8_t* codes);  // -> the scale

// Not negative, of the second: 5 bits of exponent and 3 of mantissa. From 2^-31 of the scale up; smaller ones
// are that, so that nothing is divided by a root that is too small.
void DecodeUnsigned(const uint8_t* codes, float scale, float* values);
float EncodeUnsigned(const float* values, uint32_t seed, uint8_t* codes);  // -> the scale

}  // namespace ip2p
