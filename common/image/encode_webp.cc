// WebP out, lossy or lossless, with the parameters in an EXIF chunk.
#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/encoders.h"
#include "common/image/exif.h"

namespace ip2p::internal {
namespace {

constexpr int kLosslessLevel = 6;  // libwebp's own default effort

struct Picture {
  WebPPicture picture;
  WebPMemoryWriter writer;

  Picture() {
    WebPPictureInit(&picture);
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
  }
  ~Picture() {
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
  }
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;
};

absl::StatusOr<std::string> WithExif(const std::string& webp, const std::string& exif) {
  const WebPData data{reinterpret_cast<const uint8_t*>(webp.data()), webp.size()};
  const WebPData chunk{reinterpret_cast<const uint8_t*>(exif.data()), exif.size()};
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(WebPMuxCreate(&data, 1), WebPMuxDelete);
  WebPData out{};
  if (mux == nullptr || WebPMuxSetChunk(mux.get(), "EXIF", &chunk, 1) != WEBP_MUX_OK ||
      WebPMuxAssemble(mux.get(), &out) != WEBP_MUX_OK) {
    return absl::InternalError("WebP container could not be written");
  }
  std::string bytes(reinterpret_cast<const char*>(out.bytes), out.size);
  WebPDataClear(&out);
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> EncodeWebp(const Image& image, const EncodeOptions& options) {
  if (image.width > WEBP_MAX_DIMENSION || image.height > WEBP_MAX_DIMENSION) {
    return absl::InvalidArgumentError(absl::StrCat("image is ", image.width, "x", image.height,
                                                   " px; wants sides of at most ", WEBP_MAX_DIMENSION,
                                                   " px for WebP"));
  }
  WebPConfig config;
  bool ready = WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, static_cast<float>(options.quality)) != 0;
  if (options.lossless) ready = ready && WebPConfigLosslessPreset(&config, kLosslessLevel) != 0;
  Picture p;
  p.picture.use_argb = options.lossless ? 1 : 0;
  p.picture.width = image.width;
  p.picture.height = image.height;
  if (!ready || !WebPPictureImportRGB(&p.picture, image.pixels.data(), image.width * 3) ||
      !WebPEncode(&config, &p.picture)) {
    return absl::InternalError(absl::StrCat("WebP encoder failed with code ", p.picture.error_code));
  }
  std::string bytes(reinterpret_cast<const char*>(p.writer.mem), p.writer.size);
  if (options.parameters.empty()) return bytes;
  return WithExif(bytes, BuildExif(options.parameters));
}

}  // namespace ip2p::internal
