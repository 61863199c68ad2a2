// 8-bit RGB to JPEG, PNG or WebP bytes that can carry the parameters they were made with, and the way back.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/image/image_format.h"

namespace ip2p {

struct EncodeOptions {
  ImageFormat format = ImageFormat::kPng;
  int quality = 95;        // 1..100; JPEG (4:2:0, as Pillow writes) and lossy WebP
  bool lossless = false;   // WebP only
  std::string parameters;  // UTF-8; empty: none. PNG text "parameters", EXIF UserComment in JPEG and WebP
};

// Whether the pixels come back as they were.
inline bool IsLossless(const EncodeOptions& options) {
  return options.format == ImageFormat::kPng || options.lossless;
}

// Pure. Errors: INVALID_ARGUMENT (no pixels, quality out of range, parameters over 32 KiB, WebP side over
// 16383).
absl::StatusOr<std::string> EncodeImage(const Image& image, const EncodeOptions& options = {});

// The parameters that EncodeImage put into a file. Bytes may come from anyone; pixels are not decoded.
// Errors: NOT_FOUND (it carries none), INVALID_ARGUMENT (not a JPEG, PNG or WebP).
absl::StatusOr<std::string> ReadParameters(std::string_view bytes);

}  // namespace ip2p
