// Limits that need no decoder, the choice of the decoder, and the turn to upright.
#include "common/image/decode.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decoders.h"
#include "common/image/orient.h"

namespace ip2p {
namespace internal {

absl::Status CheckSize(int64_t width, int64_t height, const ImageLimits& limits) {
  if (width < 1 || height < 1 || width > limits.max_side || height > limits.max_side ||
      width * height > limits.max_pixels) {
    return absl::InvalidArgumentError(absl::StrCat("image is ", width, "x", height, " px; wants sides of 1..",
                                                   limits.max_side, " px and at most ",
                                                   limits.max_pixels / 1'000'000, " megapixels"));
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<DecodedImage> DecodeFormat(ImageFormat format, std::string_view bytes,
                                          const ImageLimits& limits) {
  switch (format) {
    case ImageFormat::kJpeg:
      return DecodeJpeg(bytes, limits);
    case ImageFormat::kPng:
      return DecodePng(bytes, limits);
    case ImageFormat::kWebp:
      return DecodeWebp(bytes, limits);
  }
  return absl::InternalError("image format is unknown; wants a known one");
}

}  // namespace
}  // namespace internal

absl::StatusOr<DecodedImage> DecodeImage(std::string_view bytes, const ImageLimits& limits) {
  if (bytes.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("image is ", bytes.size(), " bytes; wants at most ", limits.max_bytes));
  }
  IP2P_ASSIGN_OR_RETURN(const ImageFormat format, SniffImageFormat(bytes));
  IP2P_ASSIGN_OR_RETURN(DecodedImage decoded, internal::DecodeFormat(format, bytes, limits));
  decoded.format = format;
  decoded.image = Upright(std::move(decoded.image), decoded.orientation);
  return decoded;
}

}  // namespace ip2p
