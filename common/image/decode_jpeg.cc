// JPEG through libjpeg-turbo: baseline, extended, progressive and arithmetic, 8 bits a sample.
//
// Three stages, so that C++ objects live only outside of the functions that libjpeg may jump out of: header,
// pixels, tail. Memory is capped by libjpeg's own memory manager, work by the cap on scans.
#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decoders.h"
#include "common/image/exif.h"
#include "common/image/jpeg_error.h"

namespace ip2p::internal {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kMarkerBytes = 0xFFFF;

struct Decoder {
  jpeg_decompress_struct codec;
  JpegErrorManager errors;
  jpeg_progress_mgr progress;
  int max_scans = 0;
  bool too_many_scans = false;
};

void CountScans(j_common_ptr common) {
  Decoder* decoder = static_cast<Decoder*>(common->client_data);
  if (decoder->codec.input_scan_number <= decoder->max_scans) return;
  decoder->too_many_scans = true;
  std::longjmp(decoder->errors.jump, 1);
}

bool Create(Decoder* d) {
  if (setjmp(d->errors.jump) != 0) return false;
  jpeg_create_decompress(&d->codec);
  return true;
}

// Every component is 8 bits; libjpeg-turbo as built here refuses others itself, but names only the number.
bool ReadHeader(Decoder* d, const unsigned char* bytes, size_t size) {
  if (setjmp(d->errors.jump) != 0) return false;
  jpeg_mem_src(&d->codec, bytes, size);
  jpeg_save_markers(&d->codec, kExifMarker, kMarkerBytes);
  return jpeg_read_header(&d->codec, TRUE) == JPEG_HEADER_OK;
}

bool Start(Decoder* d) {
  if (setjmp(d->errors.jump) != 0) return false;
  const J_COLOR_SPACE stored = d->codec.jpeg_color_space;
  d->codec.out_color_space = stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK : JCS_RGB;
  d->codec.dct_method = JDCT_ISLOW;
  return jpeg_start_decompress(&d->codec) == TRUE;
}

// CMYK to RGB without a profile: each ink takes its share of the light.
void CmykRowToRgb(const uint8_t* cmyk, int width, bool inverted, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = inverted ? cmyk[3] : 255 - cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const int paper = inverted ? cmyk[c] : 255 - cmyk[c];
      rgb[c] = static_cast<uint8_t>((paper * light + 127) / 255);
    }
  }
}

// `row` is room for one CMYK row, `pixels` for the whole RGB picture.
bool ReadPixels(Decoder* d, uint8_t* row, uint8_t* pixels) {
  if (setjmp(d->errors.jump) != 0) return false;
  const int width = static_cast<int>(d->codec.output_width);
  const bool cmyk = d->codec.out_color_space == JCS_CMYK;
  const bool inverted = d->codec.saw_Adobe_marker != 0;  // Adobe writes 255 for no ink
  while (d->codec.output_scanline < d->codec.output_height) {
    uint8_t* out = pixels + static_cast<size_t>(d->codec.output_scanline) * width * 3;
    JSAMPROW target = cmyk ? row : out;
    if (jpeg_read_scanlines(&d->codec, &target, 1) != 1) return false;
    if (cmyk) CmykRowToRgb(row, width, inverted, out);
  }
  return jpeg_finish_decompress(&d->codec) == TRUE;  // reads up to the end marker: nothing may be missing
}

absl::Status Refused(const Decoder& d) {
  if (d.too_many_scans) {
    return absl::InvalidArgumentError(
        absl::StrCat("image is a JPEG of more than ", d.max_scans, " scans; wants at most ", d.max_scans));
  }
  const char* message = d.errors.message[0] != '\0' ? d.errors.message : "incomplete";
  return absl::InvalidArgumentError(
      absl::StrCat("image is a JPEG that cannot be decoded (", message, "); wants a complete 8-bit JPEG"));
}

int OrientationOf(const jpeg_decompress_struct& codec) {
  for (const jpeg_marker_struct* m = codec.marker_list; m != nullptr; m = m->next) {
    const std::string_view data(reinterpret_cast<const char*>(m->data), m->data_length);
    if (m->marker == kExifMarker && data.starts_with(std::string_view("Exif\0", 5))) {
      return ParseExif(data).orientation;
    }
  }
  return 1;
}

struct DestroyDecoder {
  void operator()(Decoder* d) const {
    jpeg_destroy_decompress(&d->codec);
    delete d;
  }
};

}  // namespace

absl::StatusOr<DecodedImage> DecodeJpeg(std::string_view bytes, const ImageLimits& limits) {
  std::unique_ptr<Decoder, DestroyDecoder> d(new Decoder{});
  InstallJpegErrors(reinterpret_cast<j_common_ptr>(&d->codec), &d->errors);
  if (!Create(d.get())) return Refused(*d);
  d->max_scans = limits.max_jpeg_scans;
  d->codec.client_data = d.get();
  d->progress.progress_monitor = CountScans;
  d->codec.progress = &d->progress;
  // A progressive picture is held as coefficients: 2 bytes a sample, at most 4 components, and some rows
  // more.
  d->codec.mem->max_memory_to_use = static_cast<long>(limits.max_pixels * 8 + (64 << 20));

  if (!ReadHeader(d.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()))
    return Refused(*d);
  IP2P_RETURN_IF_ERROR(CheckSize(d->codec.image_width, d->codec.image_height, limits));
  if (d->codec.num_components == 2) {
    return absl::InvalidArgumentError("image is a JPEG of 2 components; wants 1, 3 or 4");
  }
  DecodedImage decoded;
  decoded.orientation = OrientationOf(d->codec);
  if (!Start(d.get())) return Refused(*d);
  Image& image = decoded.image;
  image.width = static_cast<int>(d->codec.output_width);
  image.height = static_cast<int>(d->codec.output_height);
  image.pixels.resize(static_cast<size_t>(image.width) * image.height * 3);
  std::string row(static_cast<size_t>(image.width) * 4, '\0');
  if (!ReadPixels(d.get(), reinterpret_cast<uint8_t*>(row.data()), image.pixels.data())) return Refused(*d);
  return decoded;
}

}  // namespace ip2p::internal
