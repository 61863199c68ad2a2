// Checks the arguments and chooses the encoder.
#include "common/image/encode.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/image/encoders.h"

namespace ip2p {
namespace {

constexpr size_t kMaxParameters = 32 << 10;  // as UTF-16 it still fits one JPEG marker
constexpr int kMaxJpegSide = 65500;

absl::Status Check(const Image& image, const EncodeOptions& options) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxJpegSide || image.height > kMaxJpegSide ||
      image.pixels.size() != static_cast<size_t>(image.width) * image.height * 3) {
    return absl::InvalidArgumentError(absl::StrCat("image is ", image.width, "x", image.height, " px with ",
                                                   image.pixels.size(), " bytes; wants width * height * 3"));
  }
  if (options.quality < 1 || options.quality > 100) {
    return absl::InvalidArgumentError(absl::StrCat("quality is ", options.quality, "; wants 1..100"));
  }
  if (options.parameters.size() > kMaxParameters) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameters are ", options.parameters.size(), " bytes; wants at most ", kMaxParameters));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> EncodeImage(const Image& image, const EncodeOptions& options) {
  if (absl::Status status = Check(image, options); !status.ok()) return status;
  switch (options.format) {
    case ImageFormat::kJpeg:
      return internal::EncodeJpeg(image, options);
    case ImageFormat::kPng:
      return internal::EncodePng(image, options);
    case ImageFormat::kWebp:
      return internal::EncodeWebp(image, options);
  }
  return absl::InvalidArgumentError("format is unknown; wants jpeg, png or webp");
}

}  // namespace ip2p
