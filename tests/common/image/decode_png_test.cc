// PNG: depths, palettes, transparency, interlace, chunks that are bombs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <string>

#include "common/image/decode.h"
#include "common/image/encode.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakePng;
using testing::PngSpec;
using std::string_literals::operator""s;

std::vector<uint8_t> Pixels(const std::string& bytes) {
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(bytes);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->image.pixels : std::vector<uint8_t>{};
}

PngSpec Spec(int width, int color_type, int depth, std::string rows) {
  PngSpec spec;
  spec.width = width;
  spec.height = 1;
  spec.color_type = color_type;
  spec.depth = depth;
  spec.rows = std::move(rows);
  return spec;
}

TEST(DecodePngTest, SixteenBitIsRounded) {
  // 0x0100 * 255 / 65535 is 0.996; truncation would give 1, then 0 for 0x00FF.
  EXPECT_THAT(Pixels(MakePng(Spec(1, PNG_COLOR_TYPE_RGB, 16, "\xff\xff\x01\x00\x00\x7f"s))),
              ElementsAre(255, 1, 0));
  EXPECT_THAT(Pixels(MakePng(Spec(1, PNG_COLOR_TYPE_RGB, 16, "\x80\xff\x00\xff\x12\x34"s))),
              ElementsAre(128, 1, 18));
  EXPECT_THAT(Pixels(MakePng(Spec(1, PNG_COLOR_TYPE_GRAY, 16, "\x40\x40"s))), ElementsAre(64, 64, 64));
}

TEST(DecodePngTest, LowDepthGreyIsSpread) {
  EXPECT_THAT(Pixels(MakePng(Spec(2, PNG_COLOR_TYPE_GRAY, 1, "\x40"s))), ElementsAre(0, 0, 0, 255, 255, 255));
  EXPECT_THAT(Pixels(MakePng(Spec(2, PNG_COLOR_TYPE_GRAY, 2, "\x60"s))),
              ElementsAre(85, 85, 85, 170, 170, 170));
}

TEST(DecodePngTest, TransparencyIsLaidOnWhite) {
  EXPECT_THAT(Pixels(MakePng(Spec(2, PNG_COLOR_TYPE_RGB_ALPHA, 8, "\x0a\x14\x1e\xff\x0a\x14\x1e\x00"s))),
              ElementsAre(10, 20, 30, 255, 255, 255));
  EXPECT_THAT(Pixels(MakePng(Spec(1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, "\x00\x80"s))),
              ElementsAre(127, 127, 127));
}

TEST(DecodePngTest, PaletteWithTransparency) {
  PngSpec spec = Spec(3, PNG_COLOR_TYPE_PALETTE, 8, "\0\1\2"s);
  spec.palette = {255, 0, 0, 0, 255, 0, 0, 0, 255};
  spec.palette_alpha = {255, 0, 51};
  EXPECT_THAT(Pixels(MakePng(spec)), ElementsAre(255, 0, 0, 255, 255, 255, 204, 204, 255));
}

TEST(DecodePngTest, PaletteIndexOutOfRangeDoesNotReadOutside) {
  PngSpec spec = Spec(2, PNG_COLOR_TYPE_PALETTE, 8, "\0\0"s);
  spec.palette = {9, 8, 7};
  std::string png = MakePng(spec);
  const size_t data = png.find("IDAT") - 4;
  png = png.substr(0, data) + testing::PngChunk("IDAT", testing::Deflate("\0\0\xc8"s)) +
        testing::PngChunk("IEND", "");
  EXPECT_THAT(Pixels(png), ElementsAre(9, 8, 7, 0, 0, 0));
}

TEST(DecodePngTest, InterlacedEqualsPlain) {
  const Image image = testing::Gradient(19, 13);
  PngSpec spec;
  spec.width = 19;
  spec.height = 13;
  spec.rows = std::string(image.pixels.begin(), image.pixels.end());
  EXPECT_EQ(Pixels(MakePng(spec)), image.pixels);
  spec.interlaced = true;
  EXPECT_EQ(Pixels(MakePng(spec)), image.pixels);
}

TEST(DecodePngTest, TextBombsCostNothing) {
  const std::string png = *EncodeImage(testing::Gradient(8, 8));
  const std::string bomb = "key\0\0"s + testing::Deflate(std::string(100'000'000, 'a'));
  for (const char* name : {"zTXt", "iCCP"}) {
    EXPECT_EQ(Pixels(testing::WithPngChunk(png, name, bomb)), Pixels(png)) << name;
  }
  EXPECT_EQ(Pixels(testing::WithPngChunk(png, "tEXt", "key\0"s + std::string(1'000'000, 'a'))), Pixels(png));
  std::string many = png;
  for (int i = 0; i < 20'000; ++i) many.insert(33, testing::PngChunk("tEXt", "key\0v"s));
  EXPECT_EQ(Pixels(many), Pixels(png));
}

TEST(DecodePngTest, OversizedChunksCostNothing) {
  const std::string png = *EncodeImage(testing::Gradient(8, 8));
  for (const char* name : {"tEXt", "iTXt", "eXIf", "prVt"}) {
    EXPECT_EQ(Pixels(testing::WithPngChunk(png, name, std::string(9'000'000, 'a'))), Pixels(png)) << name;
  }
}

// A chunk that claims gigabytes must not make the decoder ask for them.
TEST(DecodePngTest, LyingChunkLengthIsTruncation) {
  const std::string png = *EncodeImage(testing::Gradient(8, 8));
  for (const char* name : {"eXIf", "iCCP", "prVt"}) {
    std::string lying = testing::WithPngChunk(png, name, "MM");
    lying.replace(33, 4, "\x4d\x4d\x00\x1a"s);
    EXPECT_EQ(DecodeImage(lying).status().message(),
              "image is a PNG that cannot be decoded (truncated); wants a complete PNG");
  }
}

TEST(DecodePngTest, DamageIsRefused) {
  const std::string png = *EncodeImage(testing::Gradient(8, 8));
  for (const char* name : {"IHDR", "IDAT", "IEND"}) {
    std::string damaged = png;
    damaged[damaged.find(name)] ^= 0x04;  // another chunk name, a wrong CRC
    EXPECT_EQ(DecodeImage(damaged).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  std::string bad_crc = png;
  bad_crc[png.find("IDAT") + 12] ^= 0x55;
  EXPECT_EQ(DecodeImage(bad_crc).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
