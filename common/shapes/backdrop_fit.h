// Which background a picture has, and its colour at every pixel, behind the objects too. Not for callers.
#pragma once

#include <vector>

#include "common/shapes/pixel_planes.h"
#include "common/shapes/scene.h"

namespace ip2p::shapes {

struct BackdropFit {
  Background background = Background::kWhite;
  double near = 0;          // share of the picture that is nearly as this background is drawn
  double offset = 0;        // how far the whole of it is from what is drawn, Delta E
  double lead = 0;          // score over the next best background's, 0..1
  double spread = 0;        // median Delta E of the background's pixels from the fit: noise, texture
  std::vector<Rgb> rgb;     // the fit
  std::vector<float> away;  // Delta E of each pixel from the fit
};

// Every background is tried as it is drawn and shifted by up to kMostOffset; the one that most of the picture
// agrees with is fitted by what is smooth: a tilted plane and a curve from top to bottom. What differs, the
// objects, has no weight. Any picture gets the best of the eight: judge `near`, `offset` and `lead`.
BackdropFit FitBackdrop(const PixelPlanes& picture);

}  // namespace ip2p::shapes
