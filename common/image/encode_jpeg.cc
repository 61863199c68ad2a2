// JPEG out, baseline 4:2:0, with the parameters as an EXIF marker.
#include <csetjmp>
#include <cstdlib>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/image/encoders.h"
#include "common/image/exif.h"
#include "common/image/jpeg_error.h"

namespace ip2p::internal {
namespace {

struct Encoder {
  jpeg_compress_struct codec;
  JpegErrorManager errors;
  unsigned char* bytes = nullptr;  // malloc'd by libjpeg
  unsigned long size = 0;
};

struct DestroyEncoder {
  void operator()(Encoder* e) const {
    jpeg_destroy_compress(&e->codec);
    std::free(e->bytes);
    delete e;
  }
};

// Only trivial objects here: libjpeg may jump out.
bool Write(Encoder* e, const Image& image, int quality, const std::string& marker) {
  if (setjmp(e->errors.jump) != 0) return false;
  jpeg_create_compress(&e->codec);
  jpeg_mem_dest(&e->codec, &e->bytes, &e->size);
  e->codec.image_width = static_cast<JDIMENSION>(image.width);
  e->codec.image_height = static_cast<JDIMENSION>(image.height);
  e->codec.input_components = 3;
  e->codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&e->codec);
  jpeg_set_quality(&e->codec, quality, TRUE);
  jpeg_start_compress(&e->codec, TRUE);
  if (!marker.empty()) {
    jpeg_write_marker(&e->codec, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(marker.data()),
                      static_cast<unsigned>(marker.size()));
  }
  while (e->codec.next_scanline < e->codec.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.pixels.data()) +
                   static_cast<size_t>(e->codec.next_scanline) * image.width * 3;
    if (jpeg_write_scanlines(&e->codec, &row, 1) != 1) return false;
  }
  jpeg_finish_compress(&e->codec);
  return true;
}

}  // namespace

absl::StatusOr<std::string> EncodeJpeg(const Image& image, const EncodeOptions& options) {
  std::unique_ptr<Encoder, DestroyEncoder> e(new Encoder{});
  InstallJpegErrors(reinterpret_cast<j_common_ptr>(&e->codec), &e->errors);
  std::string marker;
  if (!options.parameters.empty()) marker = std::string("Exif\0\0", 6) + BuildExif(options.parameters);
  if (!Write(e.get(), image, options.quality, marker)) {
    return absl::InternalError(absl::StrCat("JPEG encoder failed: ", e->errors.message));
  }
  return std::string(reinterpret_cast<const char*>(e->bytes), e->size);
}

}  // namespace ip2p::internal
