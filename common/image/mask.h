// Which pixels of a photo an edit may change, and putting the two together again.
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/limits.h"
#include "common/image/image.h"

namespace ip2p {

// One value a pixel, rows top to bottom: 0 keeps the photo, 255 edits it.
struct Mask {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> values;  // height * width

  bool operator==(const Mask&) const = default;
};

// White edits, black keeps, split at mid grey (luma 128 of 255), so that what lies outside is exact even
// where a lossy file left the black not quite black.
Mask MaskFromImage(const Image& image);
// White where the mask's value is not 0.
Image MaskImage(const Mask& mask);
// Whether anything may change.
bool EditsAnything(const Mask& mask);

// The share of the edit in each pixel, 0..255: 0 outside, rising over `feather` px (0..kMaxMaskFeather) from
// the nearest pixel that is kept, which the edges of the picture are not. About 0.3 s for 25 megapixels and
// 64 px.
Mask FeatherInwards(const Mask& mask, int feather);

// `edit` where the share is 255, the photo's own bytes where it is 0, mixed between. All of one size.
Image Composite(const Image& photo, Image edit, const Mask& share);

}  // namespace ip2p
