// The three decoders behind DecodeImage. Each checks the size in the header before it allocates. Not for
// callers.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/image/decode.h"

namespace ip2p::internal {

// INVALID_ARGUMENT naming the size found and the limit broken.
absl::Status CheckSize(int64_t width, int64_t height, const ImageLimits& limits);

// The picture as stored, with its EXIF orientation beside it.
absl::StatusOr<DecodedImage> DecodeJpeg(std::string_view bytes, const ImageLimits& limits);
absl::StatusOr<DecodedImage> DecodePng(std::string_view bytes, const ImageLimits& limits);
absl::StatusOr<DecodedImage> DecodeWebp(std::string_view bytes, const ImageLimits& limits);

// One channel laid on white.
inline uint8_t OnWhite(int value, int alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace ip2p::internal
