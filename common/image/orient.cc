// EXIF orientations as a map from upright pixels to stored ones.
#include "common/image/orient.h"

#include <cstddef>
#include <cstring>

namespace ip2p {

Image Upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  // In stored coordinates: does the upright picture run from the right, from the bottom?
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image upright;
  upright.width = transposed ? image.height : image.width;
  upright.height = transposed ? image.width : image.height;
  upright.pixels.resize(image.pixels.size());
  uint8_t* out = upright.pixels.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x, out += 3) {
      const int u = transposed ? y : x;
      const int v = transposed ? x : y;
      const size_t column = from_right ? image.width - 1 - u : u;
      const size_t row = from_bottom ? image.height - 1 - v : v;
      std::memcpy(out, &image.pixels[(row * image.width + column) * 3], 3);
    }
  }
  return upright;
}

}  // namespace ip2p
