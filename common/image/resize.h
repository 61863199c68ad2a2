// Resize, byte for byte what Image.resize(size, LANCZOS or BICUBIC, box) of Pillow 13 gives for 8-bit RGB.
#pragma once

#include "absl/status/statusor.h"
#include "common/image/image.h"

namespace ip2p {

struct ImageSize {
  int width = 0;
  int height = 0;
  bool operator==(const ImageSize&) const = default;
};

// In pixels of the source, edges not centres. Pillow takes single precision, and so does this.
struct Box {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;
};

// Resamples what `box` covers to `size`. Two passes in 22-bit fixed point, in the order that Pillow 13
// chooses. Errors: INVALID_ARGUMENT (empty size or box, box outside of the image).
absl::StatusOr<Image> ResizeLanczos(const Image& image, ImageSize size, const Box& box);
absl::StatusOr<Image> ResizeLanczos(const Image& image, ImageSize size);  // the whole image
absl::StatusOr<Image> ResizeBicubic(const Image& image, ImageSize size);  // Keys' kernel with a = -0.5

}  // namespace ip2p
