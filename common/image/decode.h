// Photographs from strangers: JPEG, PNG and WebP bytes to 8-bit RGB, upright.
//
// Every limit is checked from the header before a pixel is allocated, the input is never trusted, and
// whatever is refused is refused with INVALID_ARGUMENT that says what was found. Pure functions, safe from
// any thread.
//
// What is converted: grey, palette and 16-bit become 8-bit RGB (16-bit by rounding); transparency is laid on
// white; CMYK and YCCK JPEG become RGB without a colour profile, inverted as Adobe writes them; of an APNG
// the still image is taken. Colour profiles are ignored, as the reference does. EXIF orientation is applied.
// What is refused: more than the limits, truncated or damaged data, 12-bit and lossless JPEG, JPEG of more
// scans than allowed, animated WebP, every other format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/image/image_format.h"

namespace ip2p {

struct ImageLimits {
  size_t max_bytes = 20'000'000;
  int max_side = 8192;              // px
  int64_t max_pixels = 25'000'000;  // width * height
  int max_jpeg_scans = 100;         // a progressive photograph has about 10
};

struct DecodedImage {
  Image image;  // upright
  ImageFormat format = ImageFormat::kJpeg;
  int orientation = 1;  // the EXIF orientation that was applied, 1..8
};

// Costs at most about 16 bytes of memory a pixel while it runs (progressive JPEG). Errors: INVALID_ARGUMENT.
absl::StatusOr<DecodedImage> DecodeImage(std::string_view bytes, const ImageLimits& limits = {});

}  // namespace ip2p
