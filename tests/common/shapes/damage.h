// What happens to pictures between a renderer and an oracle: codecs, noise, and how a small network paints.
#pragma once

#include <cstdint>

#include "common/image/image.h"

namespace ip2p::shapes {

// Applied in this order; 0 leaves a step out.
struct Damage {
  double warp = 0;           // px by which outlines wander, over waves of 9 to 24 px
  double blur = 0;           // sigma of a Gaussian, px
  int coarse = 0;            // means over so many px a side, enlarged again: what a narrow autoencoder keeps
  int shift[3] = {0, 0, 0};  // levels, for each channel
  double noise = 0;          // sigma of Gaussian noise, levels
  int jpeg_quality = 0;      // 1..100, 4:2:0
};

Image Damaged(const Image& image, const Damage& damage, uint64_t seed);

}  // namespace ip2p::shapes
