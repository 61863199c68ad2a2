// What every image fuzz target checks: a decoded picture is whole and within its limits, and its metadata
// reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/image/decode.h"
#include "common/image/encode.h"

namespace ip2p {

// Small limits, so that the fuzzer spends its time on structure, not on pixels. Other formats are left to
// their own targets.
inline void FuzzDecode(const uint8_t* data, size_t size, ImageFormat format) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<ImageFormat> found = SniffImageFormat(bytes);
  if (!found.ok() || *found != format) return;
  ImageLimits limits;
  limits.max_bytes = 1 << 20;
  limits.max_side = 512;
  limits.max_pixels = 512 * 512;
  limits.max_jpeg_scans = 20;
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(bytes, limits);
  if (decoded.ok()) {
    const Image& image = decoded->image;
    if (image.width < 1 || image.height < 1 || image.width > limits.max_side ||
        image.height > limits.max_side ||
        image.pixels.size() != static_cast<size_t>(image.width) * image.height * 3) {
      std::abort();
    }
  } else if (decoded.status().code() != absl::StatusCode::kInvalidArgument) {
    std::abort();
  }
  const absl::StatusOr<std::string> parameters = ReadParameters(bytes);
  if (!parameters.ok() && parameters.status().code() != absl::StatusCode::kNotFound) std::abort();
}

}  // namespace ip2p
