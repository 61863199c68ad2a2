// PNG out, 8-bit RGB, with the parameters as a text chunk: tEXt when they are ASCII, else iTXt (UTF-8).
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/image/encoders.h"

namespace ip2p::internal {
namespace {

struct Encoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string bytes;
  char message[128] = "";

  ~Encoder() { png_destroy_write_struct(&png, &info); }
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  Encoder* e = static_cast<Encoder*>(png_get_error_ptr(png));
  std::strncpy(e->message, message, sizeof(e->message) - 1);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void WriteBytes(png_structp png, png_bytep data, size_t size) {
  static_cast<Encoder*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(data), size);
}

void Flush(png_structp) {}

// Only trivial objects here: libpng may jump out.
bool Write(Encoder* e, const Image& image, png_text* text) {
  if (setjmp(png_jmpbuf(e->png)) != 0) return false;
  png_set_write_fn(e->png, e, WriteBytes, Flush);
  png_set_IHDR(e->png, e->info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height),
               8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (text != nullptr) png_set_text(e->png, e->info, text, 1);
  png_write_info(e->png, e->info);
  for (int y = 0; y < image.height; ++y) {
    png_write_row(e->png, image.pixels.data() + static_cast<size_t>(y) * image.width * 3);
  }
  png_write_end(e->png, e->info);
  return true;
}

}  // namespace

absl::StatusOr<std::string> EncodePng(const Image& image, const EncodeOptions& options) {
  Encoder e;
  e.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &e, OnError, OnWarning);
  e.info = e.png == nullptr ? nullptr : png_create_info_struct(e.png);
  if (e.info == nullptr) return absl::ResourceExhaustedError("memory is short for a PNG; wants more");

  bool ascii = true;
  for (const char c : options.parameters) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  char key[] = "parameters";
  char none[] = "";
  std::string value = options.parameters;
  png_text text{};
  text.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  text.key = key;
  text.text = value.data();
  text.text_length = ascii ? value.size() : 0;
  text.itxt_length = ascii ? 0 : value.size();
  text.lang = none;
  text.lang_key = none;
  if (!Write(&e, image, value.empty() ? nullptr : &text)) {
    return absl::InternalError(absl::StrCat("PNG encoder failed: ", e.message));
  }
  return std::move(e.bytes);
}

}  // namespace ip2p::internal
