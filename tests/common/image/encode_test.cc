// Round trips of pixels and parameters, and arguments that are refused.
#include "common/image/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "common/image/decode.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

using testing::Gradient;
using ::testing::HasSubstr;
using std::string_literals::operator""s;

EncodeOptions Options(ImageFormat format, bool lossless = false) {
  EncodeOptions options;
  options.format = format;
  options.lossless = lossless;
  return options;
}

double Psnr(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::pow(a.pixels[i] - b.pixels[i], 2);
  return 10 * std::log10(255 * 255 / (sum / static_cast<double>(a.pixels.size())));
}

TEST(EncodeTest, LosslessFormatsReturnEveryPixel) {
  const Image image = Gradient(67, 41);
  for (const EncodeOptions& options : {Options(ImageFormat::kPng), Options(ImageFormat::kWebp, true)}) {
    const auto bytes = EncodeImage(image, options);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto decoded = DecodeImage(*bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->image, image);
    EXPECT_EQ(decoded->format, options.format);
  }
}

TEST(EncodeTest, LossyFormatsStayClose) {
  Image image{96, 64, {}};  // smooth: what 4:2:0 keeps
  for (int i = 0; i < 96 * 64; ++i) {
    image.pixels.insert(image.pixels.end(),
                        {static_cast<uint8_t>(i % 96 * 2), static_cast<uint8_t>(i / 96 * 3), 99});
  }
  for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kWebp}) {
    EncodeOptions options = Options(format);
    const std::string fine = *EncodeImage(image, options);
    EXPECT_GT(Psnr(DecodeImage(fine)->image, image), 40) << ImageFormatName(format);  // measured 45 and more
    options.quality = 30;
    EXPECT_LT(EncodeImage(image, options)->size(), fine.size());
  }
}

TEST(EncodeTest, ParametersSurviveInEveryFormat) {
  const std::string texts[] = {
      "turn the sky to sunset\nSteps: 20, Seed: 7",
      "größer \xF0\x9F\x8E\xA8 \xE4\xB8\xAD\xE6\x96\x87",
      std::string(32 << 10, 'x'),
      "{\"instruction\":\"\\u0000\"}",
  };
  const Image image = Gradient(24, 16);
  for (const std::string& text : texts) {
    for (EncodeOptions options : {Options(ImageFormat::kPng), Options(ImageFormat::kJpeg),
                                  Options(ImageFormat::kWebp), Options(ImageFormat::kWebp, true)}) {
      const Image plain = DecodeImage(*EncodeImage(image, options))->image;
      options.parameters = text;
      const auto bytes = EncodeImage(image, options);
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      EXPECT_EQ(*ReadParameters(*bytes), text);
      EXPECT_EQ(DecodeImage(*bytes)->image, plain);  // the picture is the same
    }
  }
}

TEST(EncodeTest, FilesWithoutParametersSaySo) {
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp}) {
    EXPECT_EQ(ReadParameters(*EncodeImage(Gradient(8, 8), Options(format))).status().code(),
              absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(ReadParameters("GIF89a").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadParametersTest, CutFilesAreHarmless) {
  EncodeOptions options;
  options.parameters = "héllo";
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp}) {
    options.format = format;
    const std::string bytes = *EncodeImage(Gradient(8, 8), options);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto text = ReadParameters(bytes.substr(0, size));
      EXPECT_EQ(text.value_or("héllo"), "héllo");
    }
  }
}

TEST(ReadParametersTest, LatinTextOfOtherProgramsIsRead) {
  const std::string png = testing::WithPngChunk(*EncodeImage(Gradient(8, 8)), "tEXt", "parameters\0caf\xe9"s);
  EXPECT_EQ(*ReadParameters(png), "caf\xC3\xA9");
}

TEST(EncodeTest, WrongArgumentsAreRefused) {
  const auto message = [](const Image& image, const EncodeOptions& options) {
    const absl::Status status = EncodeImage(image, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message(Image{}, {}), HasSubstr("image is 0x0 px"));
  EXPECT_THAT(message(Image{2, 2, {1, 2, 3}}, {}), HasSubstr("wants width * height * 3"));
  EncodeOptions options;
  options.quality = 0;
  EXPECT_EQ(message(Gradient(2, 2), options), "quality is 0; wants 1..100");
  options.quality = 101;
  EXPECT_EQ(message(Gradient(2, 2), options), "quality is 101; wants 1..100");
  options = {};
  options.parameters = std::string((32 << 10) + 1, 'x');
  EXPECT_THAT(message(Gradient(2, 2), options), HasSubstr("parameters are 32769 bytes"));
  EXPECT_THAT(message(Gradient(16384, 1), Options(ImageFormat::kWebp)),
              HasSubstr("at most 16383 px for WebP"));
}

TEST(ImageFormatTest, ByExtension) {
  EXPECT_EQ(*ImageFormatOfPath("a/b.JPG"), ImageFormat::kJpeg);
  EXPECT_EQ(*ImageFormatOfPath("b.jpeg"), ImageFormat::kJpeg);
  EXPECT_EQ(*ImageFormatOfPath("b.c.png"), ImageFormat::kPng);
  EXPECT_EQ(*ImageFormatOfPath("b.WebP"), ImageFormat::kWebp);
  EXPECT_EQ(ImageFormatOfPath("b.gif").status().message(),
            "file extension is \".gif\"; wants .png, .jpg, .jpeg or .webp");
  EXPECT_FALSE(ImageFormatOfPath("a.png/b").ok());
}

}  // namespace
}  // namespace ip2p
