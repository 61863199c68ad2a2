// EXIF: the eight orientations in all three formats, and structures that lie.
#include "common/image/exif.h"

#include <gtest/gtest.h>

#include <string>

#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/image/orient.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

using testing::ExifOrientation;
using std::string_literals::operator""s;

std::string Letters(const Image& image) {
  std::string out;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) out.push_back(image.pixels[(y * image.width + x) * 3]);
    out.push_back('/');
  }
  return out;
}

// From the EXIF standard's table: what a viewer shows of the stored "abc" over "def".
constexpr const char* kUpright[] = {"",          "abc/def/",  "cba/fed/",  "fed/cba/", "def/abc/",
                                    "ad/be/cf/", "da/eb/fc/", "fc/eb/da/", "cf/be/ad/"};

Image Stored() {
  Image image{3, 2, {}};
  for (const char c : "abcdef"s) image.pixels.insert(image.pixels.end(), 3, static_cast<uint8_t>(c));
  return image;
}

TEST(OrientTest, EveryOrientation) {
  for (int i = 1; i <= 8; ++i) EXPECT_EQ(Letters(Upright(Stored(), i)), kUpright[i]) << i;
  EXPECT_EQ(Upright(Stored(), 0), Stored());
  EXPECT_EQ(Upright(Stored(), 9), Stored());
}

TEST(OrientTest, HonouredInPngAndWebp) {
  const std::string png = *EncodeImage(Stored());
  EncodeOptions options;
  options.format = ImageFormat::kWebp;
  options.lossless = true;
  const std::string webp = *EncodeImage(Stored(), options);
  for (int i = 1; i <= 8; ++i) {
    for (const bool big : {false, true}) {
      const std::string exif = ExifOrientation(i, big);
      const auto from_png = DecodeImage(testing::WithPngChunk(png, "eXIf", exif));
      ASSERT_TRUE(from_png.ok()) << from_png.status();
      EXPECT_EQ(Letters(from_png->image), kUpright[i]);
      EXPECT_EQ(from_png->orientation, i);
      for (const std::string& prefix : {""s, "Exif\0\0"s}) {
        const auto from_webp =
            DecodeImage(testing::ExtendedWebp(webp, 0x08, 3, 2, testing::RiffChunk("EXIF", prefix + exif)));
        ASSERT_TRUE(from_webp.ok()) << from_webp.status();
        EXPECT_EQ(Letters(from_webp->image), kUpright[i]);
      }
    }
  }
}

TEST(OrientTest, HonouredInJpeg) {
  EncodeOptions options;
  options.format = ImageFormat::kJpeg;
  const std::string jpeg = *EncodeImage(testing::RedBlue(32, 16), options);
  // Where red lies when shown upright.
  const char* const kRedSide[] = {"", "left", "right", "right", "left", "top", "top", "bottom", "bottom"};
  for (int i = 1; i <= 8; ++i) {
    const auto decoded =
        DecodeImage(testing::WithJpegMarker(jpeg, 0xE1, "Exif\0\0"s + ExifOrientation(i, i % 2 == 0)));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const Image& image = decoded->image;
    EXPECT_EQ(image.width, i < 5 ? 32 : 16);
    const auto red = [&image](int x, int y) { return image.pixels[(y * image.width + x) * 3] > 200; };
    const bool first = red(0, 0), right = red(image.width - 1, 0), below = red(0, image.height - 1);
    const std::string side = first && right ? "top" : first && below ? "left" : right ? "right" : "bottom";
    EXPECT_EQ(side, kRedSide[i]) << i;
  }
}

TEST(ParseExifTest, WrongOrientationsCountAsUpright) {
  EXPECT_EQ(ParseExif(ExifOrientation(0, true)).orientation, 1);
  EXPECT_EQ(ParseExif(ExifOrientation(9, false)).orientation, 1);
  EXPECT_EQ(ParseExif(ExifOrientation(65535, false)).orientation, 1);
}

TEST(ParseExifTest, LiesAreSkipped) {
  const std::string good = ExifOrientation(6, false);
  for (size_t size = 0; size < 20; ++size) EXPECT_EQ(ParseExif(good.substr(0, size)).orientation, 1) << size;
  std::string far = good;
  far.replace(4, 4, "\xff\xff\xff\xff");  // first directory past the end
  EXPECT_EQ(ParseExif(far).orientation, 1);
  std::string many = good;
  many.replace(8, 2, "\xff\xff");  // 65,535 entries in 26 bytes
  EXPECT_EQ(ParseExif(many).orientation, 6);
  std::string magic = good;
  magic[2] = 43;
  EXPECT_EQ(ParseExif(magic).orientation, 1);
}

TEST(ParseExifTest, LoopsEnd) {
  // The Exif directory is the first directory itself, and its link to the next one points back as well.
  std::string loop("II*\0\x08\0\0\0\x02\0"s + "\x12\x01\x03\0\x01\0\0\0\x08\0\0\0"s +
                   "\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"s + "\x08\0\0\0"s);
  EXPECT_EQ(ParseExif(loop).orientation, 8);
  EXPECT_FALSE(ParseExif(loop).user_comment.has_value());
}

TEST(ParseExifTest, CommentSurvives) {
  for (const std::string& text :
       {"plain words, steps: 20"s, "größer \xF0\x9F\x8E\xA8 \xE4\xB8\xAD\xE6\x96\x87"s, ""s}) {
    EXPECT_EQ(ParseExif(BuildExif(text)).user_comment, text);
  }
  const std::string exif = BuildExif("hello");
  for (size_t size = 0; size < exif.size(); ++size) {
    EXPECT_FALSE(ParseExif(exif.substr(0, size)).user_comment.has_value()) << size;
  }
}

TEST(ParseExifTest, InvalidTextBecomesReplacementCharacters) {
  EXPECT_EQ(ParseExif(BuildExif("a\xff"
                                "b\xC3"))
                .user_comment,
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

}  // namespace
}  // namespace ip2p
