// What strangers send: every size lie, wrong magic, truncation and odd colour layout, with its answer.
#include "common/image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/image/encode.h"
#include "tests/common/image/allocation_spy.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

using testing::AllocationSpy;
using testing::Gradient;
using ::testing::HasSubstr;
using std::string_view_literals::operator""sv;

std::string Encoded(const Image& image, ImageFormat format, bool lossless = false) {
  EncodeOptions options;
  options.format = format;
  options.lossless = lossless;
  const absl::StatusOr<std::string> bytes = EncodeImage(image, options);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

// Refused with INVALID_ARGUMENT and this message, and nothing as large as a picture was allocated.
void ExpectRefused(std::string_view bytes, const std::string& message, const ImageLimits& limits = {}) {
  const AllocationSpy spy;
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(bytes, limits);
  EXPECT_LT(spy.largest(), size_t{1} << 20);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(decoded.status().message()), HasSubstr(message));
}

TEST(DecodeSizeTest, HugeClaimsAreRefusedBeforeAnyPixel) {
  const Image small = Gradient(16, 16);
  const std::string jpeg = Encoded(small, ImageFormat::kJpeg);
  ExpectRefused(testing::WithJpegSize(jpeg, 65500, 65500),
                "image is 65500x65500 px; wants sides of 1..8192 px");
  ExpectRefused(testing::WithJpegSize(jpeg, 65535, 65535), "cannot be decoded");
  ExpectRefused(testing::WithJpegSize(jpeg, 8193, 16), "image is 8193x16 px");
  ExpectRefused(testing::WithJpegSize(jpeg, 5001, 5000), "at most 25 megapixels");
  ExpectRefused(testing::WithJpegSize(jpeg, 0, 16), "cannot be decoded");

  const std::string png = Encoded(small, ImageFormat::kPng);
  ExpectRefused(testing::WithPngSize(png, 30000, 30000), "image is 30000x30000 px");
  ExpectRefused(testing::WithPngSize(png, 0xFFFFFFFF, 0xFFFFFFFF), "image is 4294967295x4294967295 px");
  ExpectRefused(testing::WithPngSize(png, 0, 1), "image is 0x1 px");

  std::string webp = Encoded(small, ImageFormat::kWebp);
  ASSERT_EQ(webp.substr(12, 4), "VP8 ");
  webp.replace(26, 4, "\xff\x3f\xff\x3f");
  ExpectRefused(webp, "image is 16383x16383 px");
  ExpectRefused(testing::ExtendedWebp(testing::WebpFile(""), 0x02, 1 << 14, 1 << 14, ""),
                "image is 16384x16384 px");
}

TEST(DecodeSizeTest, LimitsAreExact) {
  const std::string png = Encoded(Gradient(20, 10), ImageFormat::kPng);
  ImageLimits limits;
  limits.max_side = 20;
  limits.max_pixels = 200;
  limits.max_bytes = png.size();
  EXPECT_TRUE(DecodeImage(png, limits).ok());
  limits.max_bytes = png.size() - 1;
  ExpectRefused(png, "bytes; wants at most", limits);
  limits.max_bytes = png.size();
  limits.max_pixels = 199;
  ExpectRefused(png, "image is 20x10 px", limits);
  limits.max_pixels = 200;
  limits.max_side = 19;
  ExpectRefused(png, "image is 20x10 px", limits);
}

TEST(DecodeFormatTest, OtherFormatsAreNamed) {
  ExpectRefused("", "image is empty; wants JPEG, PNG or WebP");
  ExpectRefused("GIF89a\1\0\1\0"sv, "image is a GIF; wants JPEG, PNG or WebP");
  ExpectRefused("BM\x9a\0\0\0\0\0"sv, "image is a BMP");
  ExpectRefused("<svg xmlns='http://www.w3.org/2000/svg'/>", "image is an SVG");
  ExpectRefused("\n<?xml version='1.0'?><!-- x --><svg/>", "image is an SVG");
  ExpectRefused("<!doctype html><html></html>", "image is a web page or XML");
  ExpectRefused("II*\0\x08\0\0\0"sv, "image is a TIFF");
  ExpectRefused(
      "\0\0\0\x20"
      "ftypheic"sv,
      "image is a HEIC");
  ExpectRefused("RIFF\x04\0\0\0WAVE"sv, "image is 12 bytes of an unknown format");
  ExpectRefused("\xff", "image is 1 bytes of an unknown format");
  ExpectRefused("\xff\xd8\xff", "cannot be decoded");
  ExpectRefused("\x89PNG\r\n\x1a\n", "PNG without a header");
  ExpectRefused("RIFF\x04\0\0\0WEBP"sv, "cannot be decoded");
}

TEST(DecodeTest, EveryTruncationIsRefused) {
  for (const bool lossless : {false, true}) {
    for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kPng, ImageFormat::kWebp}) {
      const std::string whole = Encoded(Gradient(33, 17), format, lossless);
      ASSERT_TRUE(DecodeImage(whole).ok());
      for (size_t size = 0; size < whole.size(); ++size) {
        EXPECT_EQ(DecodeImage(whole.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument)
            << ImageFormatName(format) << " cut to " << size << " of " << whole.size();
      }
    }
  }
  testing::JpegSpec spec;
  spec.progressive = true;
  const std::string progressive = testing::MakeJpeg(spec);
  for (size_t size = 0; size < progressive.size(); ++size) {
    EXPECT_FALSE(DecodeImage(progressive.substr(0, size)).ok()) << size;
  }
}

TEST(DecodeTest, BytesBehindTheEndDoNotMatter) {
  for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kPng, ImageFormat::kWebp}) {
    const std::string whole = Encoded(Gradient(33, 17), format);
    const absl::StatusOr<DecodedImage> decoded = DecodeImage(whole + std::string(1000, 'x'));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->image, DecodeImage(whole)->image);
  }
}

TEST(DecodeTest, OnePixelIsAPicture) {
  const Image pixel{1, 1, {10, 200, 30}};
  EXPECT_EQ(DecodeImage(Encoded(pixel, ImageFormat::kPng))->image, pixel);
  EXPECT_EQ(DecodeImage(Encoded(pixel, ImageFormat::kWebp, true))->image, pixel);
  EXPECT_EQ(DecodeImage(Encoded(pixel, ImageFormat::kJpeg))->image.width, 1);
}

TEST(DecodeWebpTest, AnimatedIsRefused) {
  const std::string still = Encoded(Gradient(8, 8), ImageFormat::kWebp);
  const std::string animation = testing::RiffChunk("ANIM", std::string(6, '\0'));
  ExpectRefused(testing::ExtendedWebp(testing::WebpFile(animation), 0x02, 8, 8, ""),
                "image is an animated WebP");
  EXPECT_TRUE(DecodeImage(testing::ExtendedWebp(still, 0x00, 8, 8, "")).ok());
}

TEST(DecodeWebpTest, CanvasThatDiffersFromThePictureIsRefused) {
  const std::string still = Encoded(Gradient(8, 8), ImageFormat::kWebp);
  ExpectRefused(testing::ExtendedWebp(still, 0x00, 800, 8, ""), "cannot be decoded");
}

}  // namespace
}  // namespace ip2p
