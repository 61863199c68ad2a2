// PNG through libpng, every colour type and depth, interlaced or not.
//
// The size is read from IHDR by hand first; text, EXIF and colour profile chunks are never parsed or
// inflated, so they cost nothing. libpng reports errors by longjmp: the functions it may jump out of keep
// only trivial objects.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decoders.h"
#include "common/image/exif.h"
#include "common/image/png_chunks.h"

namespace ip2p::internal {
namespace {

constexpr size_t kHeaderBytes = 8 + 8 + 13;  // signature, IHDR's length and name, IHDR
constexpr png_byte kIgnoredChunks[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT\0hIST\0eXIf";

struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const char* bytes = nullptr;
  size_t left = 0;
  char message[128] = "";

  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  Decoder* d = static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(d->message, message, sizeof(d->message) - 1);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void ReadBytes(png_structp png, png_bytep out, size_t size) {
  Decoder* d = static_cast<Decoder*>(png_get_io_ptr(png));
  if (size > d->left) png_error(png, "truncated");
  std::memcpy(out, d->bytes, size);
  d->bytes += size;
  d->left -= size;
}

bool ReadHeader(Decoder* d) {
  if (setjmp(png_jmpbuf(d->png)) != 0) return false;
  png_set_read_fn(d->png, d, ReadBytes);
  png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, kIgnoredChunks, sizeof(kIgnoredChunks) / 5);
  png_read_info(d->png, d->info);
  // Whatever is stored, rows come out as 8-bit RGBA.
  png_set_expand(d->png);
  png_set_scale_16(d->png);
  png_set_gray_to_rgb(d->png);
  png_set_add_alpha(d->png, 0xFF, PNG_FILLER_AFTER);
  return true;
}

void FlattenRow(const uint8_t* rgba, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, rgba += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) rgb[c] = OnWhite(rgba[c], rgba[3]);
  }
}

// `rows` is room for one RGBA row, or for all of them when the picture is interlaced.
bool ReadPixels(Decoder* d, int width, int height, uint8_t* rows, uint8_t* pixels) {
  if (setjmp(png_jmpbuf(d->png)) != 0) return false;
  const int passes = png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  const size_t stride = static_cast<size_t>(width) * 4;
  if (png_get_rowbytes(d->png, d->info) != stride) return false;
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < height; ++y) {
      uint8_t* row = passes > 1 ? rows + stride * y : rows;
      png_read_row(d->png, row, nullptr);
      if (pass == passes - 1) FlattenRow(row, width, pixels + static_cast<size_t>(y) * width * 3);
    }
  }
  png_read_end(d->png, d->info);
  return true;
}

absl::Status Refused(const Decoder& d) {
  const char* message = d.message[0] != '\0' ? d.message : "damaged";
  return absl::InvalidArgumentError(
      absl::StrCat("image is a PNG that cannot be decoded (", message, "); wants a complete PNG"));
}

uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

int OrientationOf(const PngChunks& list) {
  for (const PngChunk& chunk : list.chunks) {
    if (chunk.name == "eXIf") return ParseExif(chunk.data).orientation;
  }
  return 1;
}

}  // namespace

absl::StatusOr<DecodedImage> DecodePng(std::string_view bytes, const ImageLimits& limits) {
  if (bytes.size() < kHeaderBytes || bytes.substr(12, 4) != "IHDR") {
    return absl::InvalidArgumentError("image is a PNG without a header; wants a complete PNG");
  }
  IP2P_RETURN_IF_ERROR(CheckSize(BigEndian(bytes.substr(16)), BigEndian(bytes.substr(20)), limits));
  const PngChunks list =
      ListPngChunks(bytes);  // so that no chunk makes libpng allocate more than the file's size
  Decoder d;
  if (!list.complete) {
    std::strcpy(d.message, "truncated");
    return Refused(d);
  }
  d.bytes = bytes.data();
  d.left = bytes.size();
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, OnError, OnWarning);
  d.info = d.png == nullptr ? nullptr : png_create_info_struct(d.png);
  if (d.info == nullptr) return absl::ResourceExhaustedError("memory is short for a PNG; wants more");
  if (!ReadHeader(&d)) return Refused(d);

  DecodedImage decoded;
  decoded.orientation = OrientationOf(list);
  Image& image = decoded.image;
  image.width = static_cast<int>(png_get_image_width(d.png, d.info));
  image.height = static_cast<int>(png_get_image_height(d.png, d.info));
  const size_t area = static_cast<size_t>(image.width) * image.height;
  const bool interlaced = png_get_interlace_type(d.png, d.info) != PNG_INTERLACE_NONE;
  image.pixels.resize(area * 3);
  std::vector<uint8_t> rows(interlaced ? area * 4 : static_cast<size_t>(image.width) * 4);
  if (!ReadPixels(&d, image.width, image.height, rows.data(), image.pixels.data())) return Refused(d);
  return decoded;
}

}  // namespace ip2p::internal
