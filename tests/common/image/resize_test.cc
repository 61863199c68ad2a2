// Against goldens of Pillow (testdata/make_goldens.py), byte for byte. tests/parity compares live and wider.
#include "common/image/resize.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "common/image/decode.h"
#include "common/image/fit.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

Image Golden(const std::string& name) {
  std::ifstream in(std::string(IP2P_TESTDATA) + "/" + name, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(bytes);
  EXPECT_TRUE(decoded.ok()) << name << ": " << decoded.status();
  return decoded.ok() ? decoded->image : Image{};
}

TEST(ResizeTest, EqualsPillow) {
  const Image source = Golden("source.png");  // 61x47
  EXPECT_EQ(*ResizeLanczos(source, {40, 30}), Golden("down_40x30.png"));
  EXPECT_EQ(*ResizeLanczos(source, {97, 80}, {3.3f, 2.7f, 55.1f, 44.9f}), Golden("box_97x80.png"));
  EXPECT_EQ(*ResizeLanczos(source, {61, 20}), Golden("rows_61x20.png"));
  EXPECT_EQ(*ResizeLanczos(source, {7, 47}), Golden("columns_7x47.png"));
  EXPECT_EQ(*ResizeBicubic(source, {33, 25}), Golden("bicubic_33x25.png"));
  EXPECT_EQ(*ResizeBicubic(source, {90, 70}), Golden("bicubic_90x70.png"));
  EXPECT_EQ(*FitReference(source, 128), Golden("fit_128.png"));
  EXPECT_EQ(*ResizeLanczos(source, {61, 47}), source);
}

TEST(ResizeTest, WrongArgumentsAreRefused) {
  const Image image = testing::Gradient(10, 8);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Box& box : {Box{-1, 0, 5, 5}, Box{0, 0, 11, 8}, Box{0, 0, 10, 8.5f}, Box{5, 0, 5, 8},
                         Box{0, 6, 5, 2}, Box{nan, 0, 5, 5}, Box{0, 0, nan, 5}}) {
    EXPECT_EQ(ResizeLanczos(image, {4, 4}, box).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(ResizeLanczos(image, {0, 4}).status().message(), "size is 0x4 px; wants at least 1x1");
  EXPECT_FALSE(ResizeLanczos(Image{}, {4, 4}).ok());
  EXPECT_FALSE(ResizeBicubic(Image{}, {4, 4}).ok());
}

// Sizes that Python's rule gives, from the reference's own arithmetic.
TEST(ReferenceSizeTest, EqualsTheReference) {
  const struct {
    ImageSize photo;
    int resolution;
    ImageSize wanted;
  } cases[] = {
      {{512, 512}, 512, {512, 512}},   {{451, 300}, 512, {576, 384}},   {{300, 451}, 512, {384, 576}},
      {{1920, 1080}, 512, {512, 320}}, {{4032, 3024}, 512, {512, 384}}, {{1, 1}, 512, {512, 512}},
      {{451, 300}, 256, {256, 192}},   {{192, 128}, 192, {192, 128}},   {{1600, 100}, 512, {1024, 64}},
  };
  for (const auto& c : cases) {
    const auto size = ReferenceSize(c.photo, c.resolution);
    ASSERT_TRUE(size.ok()) << size.status();
    EXPECT_EQ(*size, c.wanted) << c.photo.width << "x" << c.photo.height << ": " << size->width << "x"
                               << size->height;
  }
}

TEST(ReferenceSizeTest, StripsAreRefused) {
  EXPECT_EQ(ReferenceSize({8192, 1}, 512).status().message(),
            "image is 8192x1 px, 524288x64 at resolution 512; wants sides nearer to each other, at most 2048 "
            "px then");
  EXPECT_FALSE(ReferenceSize({1, 8192}, 2048).ok());
  EXPECT_FALSE(ReferenceSize({100, 100}, 63).ok());
  EXPECT_FALSE(ReferenceSize({0, 0}, 512).ok());
}

TEST(ReferenceSizeTest, EverySizeIsAMultipleOf64) {
  for (int side = 1; side <= 8192; ++side) {
    const auto size = ReferenceSize({side, 4096}, 512);
    if (!size.ok()) continue;
    EXPECT_TRUE(size->width >= 64 && size->height >= 64 && size->width % 64 == 0 && size->height % 64 == 0)
        << side;
  }
}

TEST(PadTest, RepeatsTheEdgeAndComesBack) {
  const Image photo = testing::Gradient(70, 33);
  const Image padded = PadToMultiple(photo);
  EXPECT_EQ(padded.width, 128);
  EXPECT_EQ(padded.height, 64);
  const auto at = [](const Image& image, int x, int y) { return &image.pixels[(y * image.width + x) * 3]; };
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 128; ++x) {
      const uint8_t* wanted = at(photo, std::min(x, 69), std::min(y, 32));
      ASSERT_TRUE(std::equal(wanted, wanted + 3, at(padded, x, y))) << x << "," << y;
    }
  }
  EXPECT_EQ(CropTopLeft(padded, {70, 33}), photo);
  EXPECT_EQ(PadToMultiple(testing::Gradient(64, 128)), testing::Gradient(64, 128));
  EXPECT_EQ(PadToMultiple(Image{}), Image{});
  EXPECT_EQ(CropTopLeft(photo, {1000, 1000}), photo);
}

}  // namespace
}  // namespace ip2p
