// A picture as the oracle works on it: smoothed, in levels and in CIELAB. Not for callers.
#pragma once

#include <vector>

#include "common/image/image.h"
#include "common/shapes/palette.h"

namespace ip2p::shapes {

struct PixelPlanes {
  int width = 0;
  int height = 0;
  int scale = 1;  // pixels of the picture on a side of one of these
  std::vector<Rgb> rgb;
  std::vector<Lab> lab;

  size_t size() const { return rgb.size(); }
};

// Pictures over 192 px are averaged down to at most that, so that reading one costs the same for every size.
// The smoothing (1 2 1 on both axes) takes most of a sensor's or a codec's noise and moves no edge.
PixelPlanes MakePlanes(const Image& image);

}  // namespace ip2p::shapes
