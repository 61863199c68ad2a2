// Crafting by the formats' own libraries where they can, by hand where they refuse to.
#include "tests/common/image/picture_bytes.h"

#include <png.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
// clang-format off
#include <jpeglib.h>
// clang-format on

namespace ip2p::testing {
namespace {

std::string Big(uint32_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::string Little(uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

uint8_t Byte(const std::string& s, size_t i) { return static_cast<uint8_t>(s[i]); }

// Where the segment of one of these markers starts (at its FF).
size_t FindSegment(const std::string& jpeg, std::initializer_list<int> codes) {
  size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    for (const int code : codes) {
      if (Byte(jpeg, at + 1) == code) return at;
    }
    at += 2 + static_cast<size_t>(Byte(jpeg, at + 2) << 8 | Byte(jpeg, at + 3));
  }
  std::abort();
}

size_t FindFrame(const std::string& jpeg) { return FindSegment(jpeg, {0xC0, 0xC1, 0xC2}); }

}  // namespace

Image Gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int texture = (x * 37 + y * 91) % 23;
      image.pixels.push_back(static_cast<uint8_t>(x * 200 / width + texture));
      image.pixels.push_back(static_cast<uint8_t>(y * 200 / height + texture));
      image.pixels.push_back(static_cast<uint8_t>((x + y) * 200 / (width + height) + 2 * texture));
    }
  }
  return image;
}

Image RedBlue(int width, int height) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3, 0)};
  for (int i = 0; i < width * height; ++i) image.pixels[i * 3 + (i % width < width / 2 ? 0 : 2)] = 255;
  return image;
}

std::string MakeJpeg(const JpegSpec& spec) {
  jpeg_compress_struct codec;
  jpeg_error_mgr errors;
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = spec.width;
  codec.image_height = spec.height;
  codec.input_components = spec.components;
  codec.in_color_space = spec.components == 1 ? JCS_GRAYSCALE : spec.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&codec);
  if (spec.ycck) jpeg_set_colorspace(&codec, JCS_YCCK);
  if (spec.components == 4) codec.write_Adobe_marker = spec.adobe_marker ? TRUE : FALSE;
  jpeg_set_quality(&codec, 100, TRUE);
  if (spec.progressive) jpeg_simple_progression(&codec);
  jpeg_start_compress(&codec, TRUE);
  const size_t stride = static_cast<size_t>(spec.width) * spec.components;
  std::vector<uint8_t> samples = spec.samples;
  if (samples.empty()) samples.assign(stride * spec.height, 128);
  while (codec.next_scanline < codec.image_height) {
    JSAMPROW row = &samples[stride * codec.next_scanline];
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  std::string out(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return out;
}

std::string RepeatFirstScan(const std::string& jpeg, int times) {
  const size_t scan = FindSegment(jpeg, {0xDA});
  size_t end = scan + 2;
  // Scan data ends at a marker that is neither a stuffed zero nor a restart.
  while (Byte(jpeg, end) != 0xFF || Byte(jpeg, end + 1) == 0 || (Byte(jpeg, end + 1) & 0xF8) == 0xD0) ++end;
  std::string out = jpeg.substr(0, scan);
  for (int i = 0; i < times; ++i) out += jpeg.substr(scan, end - scan);
  return out + jpeg.substr(end);
}

std::string WithJpegSize(std::string jpeg, int width, int height) {
  const size_t frame = FindFrame(jpeg);
  return jpeg.replace(frame + 5, 4, Big(height, 2) + Big(width, 2));
}

std::string WithJpegPrecision(std::string jpeg, int bits) {
  jpeg[FindFrame(jpeg) + 4] = static_cast<char>(bits);
  return jpeg;
}

std::string WithJpegMarker(const std::string& jpeg, int code, std::string_view data) {
  return jpeg.substr(0, 2) + '\xff' + static_cast<char>(code) +
         Big(static_cast<uint32_t>(data.size() + 2), 2) + std::string(data) + jpeg.substr(2);
}

std::string MakePng(const PngSpec& spec) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, spec.width, spec.height, spec.depth, spec.color_type,
               spec.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> colors;
  for (size_t i = 0; i + 2 < spec.palette.size(); i += 3) {
    colors.push_back({spec.palette[i], spec.palette[i + 1], spec.palette[i + 2]});
  }
  if (!colors.empty()) png_set_PLTE(png, info, colors.data(), static_cast<int>(colors.size()));
  if (!spec.palette_alpha.empty()) {
    png_set_tRNS(png, info, spec.palette_alpha.data(), static_cast<int>(spec.palette_alpha.size()), nullptr);
  }
  png_write_info(png, info);
  std::string rows = spec.rows;
  const size_t stride = png_get_rowbytes(png, info);
  std::vector<png_bytep> pointers;
  for (int y = 0; y < spec.height; ++y)
    pointers.push_back(reinterpret_cast<png_bytep>(rows.data()) + stride * y);
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::string PngChunk(std::string_view name, std::string_view data) {
  const std::string body = std::string(name) + std::string(data);
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return Big(static_cast<uint32_t>(data.size()), 4) + body + Big(static_cast<uint32_t>(crc), 4);
}

std::string WithPngChunk(const std::string& png, std::string_view name, std::string_view data) {
  constexpr size_t kBehindHeader = 8 + 25;
  return png.substr(0, kBehindHeader) + PngChunk(name, data) + png.substr(kBehindHeader);
}

std::string WithPngSize(std::string png, uint32_t width, uint32_t height) {
  const std::string header = Big(width, 4) + Big(height, 4) + png.substr(24, 5);
  return png.replace(8, 25, PngChunk("IHDR", header));
}

std::string Deflate(std::string_view data) {
  uLongf size = compressBound(data.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
           data.size());
  out.resize(size);
  return out;
}

std::string RiffChunk(std::string_view name, std::string_view data) {
  return std::string(name) + Little(static_cast<uint32_t>(data.size()), 4) + std::string(data) +
         std::string(data.size() % 2, '\0');
}

std::string WebpFile(std::string_view chunks) {
  return "RIFF" + Little(static_cast<uint32_t>(chunks.size() + 4), 4) + "WEBP" + std::string(chunks);
}

std::string ExtendedWebp(const std::string& webp, uint8_t flags, int width, int height,
                         std::string_view chunks) {
  const std::string header = std::string(1, static_cast<char>(flags)) + std::string(3, '\0') +
                             Little(width - 1, 3) + Little(height - 1, 3);
  return WebpFile(RiffChunk("VP8X", header) + webp.substr(12) + std::string(chunks));
}

std::string ExifOrientation(int orientation, bool big_endian) {
  const auto number = [big_endian](uint32_t value, int bytes) {
    return big_endian ? Big(value, bytes) : Little(value, bytes);
  };
  return std::string(big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) +
         number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + number(0, 2) +
         number(0, 4);
}

}  // namespace ip2p::testing
