// The ten colours, and colours as the eye tells them apart. Pure functions, any thread.
#pragma once

#include "common/shapes/scene.h"

namespace ip2p::shapes {

// sRGB levels, 0..255.
struct Rgb {
  float r = 0;
  float g = 0;
  float b = 0;
};

// CIELAB under D65: l 0..100. A distance of 2.3 is just noticeable; the ten colours are over 30 apart from
// each other, and from every background that they don't clash with over 25.
struct Lab {
  float l = 0;
  float a = 0;
  float b = 0;
};

Rgb RgbOf(Color color);
Lab LabOf(const Rgb& rgb);                           // levels beyond 0..255 are cut
float Difference(const Lab& one, const Lab& other);  // Euclid's: Delta E of 1976

inline Rgb Mix(const Rgb& from, const Rgb& to, float share) {
  return {from.r + share * (to.r - from.r), from.g + share * (to.g - from.g),
          from.b + share * (to.b - from.b)};
}

// The share for which Mix comes nearest to `rgb`, 0..1.
float ShareOnTheWay(const Rgb& rgb, const Rgb& from, const Rgb& to);

}  // namespace ip2p::shapes
