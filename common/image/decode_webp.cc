// Still WebP, lossy and lossless, through libwebp.
#include <webp/decode.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decoders.h"
#include "common/image/exif.h"
#include "common/image/webp_chunks.h"

namespace ip2p::internal {
namespace {

absl::Status Refused(const char* why) {
  return absl::InvalidArgumentError(
      absl::StrCat("image is a WebP that cannot be decoded (", why, "); wants a complete WebP"));
}

const char* Why(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "truncated";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "too large";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "unknown feature";
    default:
      return "damaged";
  }
}

}  // namespace

absl::StatusOr<DecodedImage> DecodeWebp(std::string_view bytes, const ImageLimits& limits) {
  const uint8_t* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return absl::InternalError("libwebp is of another version; wants the built one");
  if (const VP8StatusCode code = WebPGetFeatures(data, bytes.size(), &config.input); code != VP8_STATUS_OK) {
    return Refused(Why(code));
  }
  IP2P_RETURN_IF_ERROR(CheckSize(config.input.width, config.input.height, limits));
  if (config.input.has_animation) {
    return absl::InvalidArgumentError("image is an animated WebP; wants a still JPEG, PNG or WebP");
  }
  const std::optional<std::string_view> container = WebpContainer(bytes);
  if (!container) return Refused("truncated");

  DecodedImage decoded;
  Image& image = decoded.image;
  image.width = config.input.width;
  image.height = config.input.height;
  const size_t area = static_cast<size_t>(image.width) * image.height;
  const int channels = config.input.has_alpha ? 4 : 3;
  std::vector<uint8_t> stored(area * channels);
  config.output.colorspace = config.input.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = stored.data();
  config.output.u.RGBA.stride = image.width * channels;
  config.output.u.RGBA.size = stored.size();
  if (const VP8StatusCode code = WebPDecode(data, container->size(), &config); code != VP8_STATUS_OK) {
    return Refused(Why(code));
  }
  if (channels == 3) {
    image.pixels = std::move(stored);
  } else {
    image.pixels.resize(area * 3);
    for (size_t i = 0; i < area; ++i) {
      for (size_t c = 0; c < 3; ++c) image.pixels[i * 3 + c] = OnWhite(stored[i * 4 + c], stored[i * 4 + 3]);
    }
  }
  if (const std::optional<std::string_view> exif = FindWebpChunk(*container, "EXIF")) {
    decoded.orientation = ParseExif(*exif).orientation;
  }
  return decoded;
}

}  // namespace ip2p::internal
