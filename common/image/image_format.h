// The picture formats that come in and go out, told apart by their first bytes only, never by a name.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

enum class ImageFormat { kJpeg, kPng, kWebp };

// "jpeg", "png", "webp".
const char* ImageFormatName(ImageFormat format);

// By magic. INVALID_ARGUMENT that says what was found: "image is a GIF; wants JPEG, PNG or WebP".
absl::StatusOr<ImageFormat> SniffImageFormat(std::string_view bytes);

// By the extension of a file to be written: .jpg .jpeg .png .webp, any case. INVALID_ARGUMENT otherwise.
absl::StatusOr<ImageFormat> ImageFormatOfPath(std::string_view path);

}  // namespace ip2p
