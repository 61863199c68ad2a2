// Picture files made byte by byte for the tests, among them those that no encoder of ours would write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/image/image.h"

namespace ip2p::testing {

// A gradient with a texture: no two neighbours equal, different in each channel.
Image Gradient(int width, int height);
// Left half red, right half blue.
Image RedBlue(int width, int height);

struct JpegSpec {
  int width = 16;
  int height = 16;
  int components = 3;        // 1 grey, 3 YCbCr, 4 CMYK
  bool ycck = false;         // with 4 components
  bool adobe_marker = true;  // with 4 components
  bool progressive = false;
  std::vector<uint8_t> samples;  // height * width * components; empty: mid grey
};
std::string MakeJpeg(const JpegSpec& spec);
// Repeats the first scan of a progressive JPEG.
std::string RepeatFirstScan(const std::string& jpeg, int times);
// Changes the frame header (SOF) in place.
std::string WithJpegSize(std::string jpeg, int width, int height);
std::string WithJpegPrecision(std::string jpeg, int bits);
// Puts a marker segment right behind the start of image.
std::string WithJpegMarker(const std::string& jpeg, int code, std::string_view data);

struct PngSpec {
  int width = 4;
  int height = 4;
  int color_type = 2;  // libpng's PNG_COLOR_TYPE_*
  int depth = 8;
  bool interlaced = false;
  std::string rows;              // packed rows as libpng takes them
  std::vector<uint8_t> palette;  // RGB triples
  std::vector<uint8_t> palette_alpha;
};
std::string MakePng(const PngSpec& spec);
std::string PngChunk(std::string_view name, std::string_view data);
// Puts a chunk behind IHDR.
std::string WithPngChunk(const std::string& png, std::string_view name, std::string_view data);
std::string WithPngSize(std::string png, uint32_t width, uint32_t height);  // and a right CRC
std::string Deflate(std::string_view data);

// A RIFF chunk, and a WebP file made of chunks.
std::string RiffChunk(std::string_view name, std::string_view data);
std::string WebpFile(std::string_view chunks);
// A simple WebP rewritten as an extended one with these VP8X flags and more chunks behind it.
std::string ExtendedWebp(const std::string& webp, uint8_t flags, int width, int height,
                         std::string_view chunks);

// A TIFF structure with one orientation entry.
std::string ExifOrientation(int orientation, bool big_endian);

}  // namespace ip2p::testing
