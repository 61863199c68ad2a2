// Turns and mirrors a picture as its EXIF orientation asks.
#pragma once

#include "common/image/image.h"

namespace ip2p {

// `orientation` is EXIF tag 0x0112: 1 is upright, 2..8 as the standard's table; anything else counts as 1.
// 5..8 exchange width and height.
Image Upright(Image image, int orientation);

}  // namespace ip2p
