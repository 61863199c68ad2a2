// JPEG: colour layouts, progressive, hostile scans and precision, what warnings mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/image/decode.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using testing::JpegSpec;
using testing::MakeJpeg;

constexpr int kJpegTolerance = 3;  // of 255; quality 100 on a flat colour, measured 1

Image Decoded(const std::string& bytes) {
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(bytes);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->image : Image{};
}

void ExpectFlat(const Image& image, int red, int green, int blue) {
  ASSERT_FALSE(image.pixels.empty());
  const int wanted[3] = {red, green, blue};
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    ASSERT_LE(std::abs(image.pixels[i] - wanted[i % 3]), kJpegTolerance) << "sample " << i;
  }
}

JpegSpec Flat(std::vector<uint8_t> colour) {
  JpegSpec spec;
  spec.components = static_cast<int>(colour.size());
  for (int i = 0; i < spec.width * spec.height; ++i) {
    spec.samples.insert(spec.samples.end(), colour.begin(), colour.end());
  }
  return spec;
}

TEST(DecodeJpegTest, GreyBecomesRgb) { ExpectFlat(Decoded(MakeJpeg(Flat({77}))), 77, 77, 77); }

TEST(DecodeJpegTest, ProgressiveEqualsBaseline) {
  JpegSpec spec;
  spec.width = 40;
  spec.height = 24;
  spec.samples = testing::Gradient(40, 24).pixels;
  const Image baseline = Decoded(MakeJpeg(spec));
  spec.progressive = true;
  EXPECT_EQ(Decoded(MakeJpeg(spec)), baseline);
}

TEST(DecodeJpegTest, CmykIsConverted) {
  // Cyan 0, magenta 255, yellow 255, black 0 is red. Adobe's files store it inverted.
  JpegSpec spec = Flat({255, 0, 0, 255});
  ExpectFlat(Decoded(MakeJpeg(spec)), 255, 0, 0);
  spec.ycck = true;
  ExpectFlat(Decoded(MakeJpeg(spec)), 255, 0, 0);
  spec = Flat({0, 255, 255, 0});
  spec.adobe_marker = false;
  ExpectFlat(Decoded(MakeJpeg(spec)), 255, 0, 0);
  ExpectFlat(Decoded(MakeJpeg(Flat({255, 255, 255, 128}))), 128, 128, 128);
}

TEST(DecodeJpegTest, TwelveBitIsRefused) {
  const absl::Status status = DecodeImage(testing::WithJpegPrecision(MakeJpeg({}), 12)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("precision 12"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("wants a complete 8-bit JPEG"));
}

TEST(DecodeJpegTest, ThousandScansAreRefused) {
  JpegSpec spec;
  spec.progressive = true;
  const std::string jpeg = MakeJpeg(spec);
  const absl::Status status = DecodeImage(testing::RepeatFirstScan(jpeg, 1000)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "image is a JPEG of more than 100 scans; wants at most 100");
  EXPECT_EQ(Decoded(testing::RepeatFirstScan(jpeg, 2)), Decoded(jpeg));
}

TEST(DecodeJpegTest, DamagedScanIsRefused) {
  JpegSpec spec;
  spec.width = spec.height = 64;
  spec.samples = testing::Gradient(64, 64).pixels;
  std::string jpeg = MakeJpeg(spec);
  jpeg.replace(jpeg.size() / 2, 4, "\xff\xd9\xff\xd9");  // an early end
  EXPECT_EQ(DecodeImage(jpeg).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DecodeJpegTest, HarmlessExtrasAreAccepted) {
  const std::string jpeg = MakeJpeg({});
  EXPECT_EQ(Decoded(testing::WithJpegMarker(jpeg, 0xE1, "http://ns.adobe.com/xap/1.0/")), Decoded(jpeg));
  EXPECT_EQ(Decoded(testing::WithJpegMarker(jpeg, 0xFE, std::string(65000, 'c'))), Decoded(jpeg));
  constexpr size_t kBehindJfif = 2 + 18;
  const std::string stray = jpeg.substr(0, kBehindJfif) + std::string(5, '\0') + jpeg.substr(kBehindJfif);
  EXPECT_EQ(Decoded(stray), Decoded(jpeg));
}

}  // namespace
}  // namespace ip2p
