// What stands out from the background, piece by piece. Not for callers.
#pragma once

#include <vector>

#include "common/shapes/backdrop_fit.h"
#include "common/shapes/pixel_planes.h"

namespace ip2p::shapes {

// A connected piece of one colour.
struct Segment {
  std::vector<int> pixels;
  Lab lab;  // of its inside: medians
  Rgb rgb;
};

struct Segments {
  std::vector<Segment> found;         // the largest first; what is too small for an object is left out
  std::vector<int> owner;             // of each pixel: the place in `found`, kSpeck or kNobody
  static constexpr int kNobody = -1;  // background
  static constexpr int kSpeck = -2;   // stands out, but is too small or too faint for an object
};

// Pieces of two colours that touch are parted.
Segments FindSegments(const PixelPlanes& picture, const BackdropFit& backdrop);

}  // namespace ip2p::shapes
