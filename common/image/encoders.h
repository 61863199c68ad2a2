// The three encoders behind EncodeImage, which checks their arguments. Not for callers.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/image/encode.h"

namespace ip2p::internal {

absl::StatusOr<std::string> EncodeJpeg(const Image& image, const EncodeOptions& options);
absl::StatusOr<std::string> EncodePng(const Image& image, const EncodeOptions& options);
absl::StatusOr<std::string> EncodeWebp(const Image& image, const EncodeOptions& options);

}  // namespace ip2p::internal
