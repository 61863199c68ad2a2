#include "common/image/mask.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "tests/common/image/picture_bytes.h"

namespace ip2p {
namespace {

Mask Blank(int width, int height) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height)};
}

Mask Box(int width, int height, int left, int top, int right, int bottom) {
  Mask mask = Blank(width, height);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) mask.values[static_cast<size_t>(y) * width + x] = 255;
  }
  return mask;
}

TEST(MaskTest, WhiteEditsAndMidGreySplits) {
  const Image grey{5, 1, {0, 0, 0, 127, 127, 127, 128, 128, 128, 255, 255, 255, 0, 255, 0}};
  EXPECT_EQ(MaskFromImage(grey).values, (std::vector<uint8_t>{0, 0, 255, 255, 255}));
  // Blue and red are dark, as in Pillow's convert("L").
  EXPECT_EQ(MaskFromImage(Image{2, 1, {0, 0, 255, 255, 0, 0}}).values, (std::vector<uint8_t>{0, 0}));
}

TEST(MaskTest, AnImageAndBack) {
  const Mask mask = Box(7, 5, 2, 1, 6, 3);
  EXPECT_EQ(MaskFromImage(MaskImage(mask)), mask);
  EXPECT_TRUE(EditsAnything(mask));
  EXPECT_FALSE(EditsAnything(Blank(7, 5)));
}

TEST(FeatherTest, NoneIsTheMaskItself) {
  const Mask mask = Box(40, 30, 5, 5, 35, 25);
  EXPECT_EQ(FeatherInwards(mask, 0), mask);
}

// Against the definition, pixel by pixel.
TEST(FeatherTest, IsTheDistanceToTheNearestKeptPixel) {
  std::mt19937 random(3);
  for (const int feather : {1, 3, 8, 64}) {
    Mask mask = Box(61, 47, 0, 4, 50, 47);
    for (int i = 0; i < 6; ++i) mask.values[random() % mask.values.size()] = 0;
    const Mask share = FeatherInwards(mask, feather);
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) {
        double nearest = feather + 1;
        for (int v = 0; v < mask.height; ++v) {
          for (int u = 0; u < mask.width; ++u) {
            if (mask.values[static_cast<size_t>(v) * mask.width + u] == 0) {
              nearest = std::min(nearest, std::hypot(u - x, v - y));
            }
          }
        }
        ASSERT_EQ(int{share.values[static_cast<size_t>(y) * mask.width + x]},
                  std::lround(nearest / (feather + 1) * 255))
            << x << "," << y << " feather " << feather;
      }
    }
  }
}

TEST(FeatherTest, TheEdgeOfThePictureIsNoEdgeOfTheMask) {
  const Mask all = Box(20, 20, 0, 0, 20, 20);
  EXPECT_EQ(FeatherInwards(all, 8), all);
}

TEST(CompositeTest, OutsideIsThePhotoInsideTheEditAndBetweenAMixture) {
  const Image photo = testing::Gradient(51, 37);
  Image edit = photo;
  for (uint8_t& value : edit.pixels) value = static_cast<uint8_t>(255 - value);
  const Mask mask = Box(51, 37, 10, 10, 41, 30);
  const Mask share = FeatherInwards(mask, 4);
  const Image whole = Composite(photo, edit, share);
  int mixed = 0;
  for (size_t i = 0; i < mask.values.size(); ++i) {
    for (size_t c = 3 * i; c < 3 * i + 3; ++c) {
      if (mask.values[i] == 0) {
        ASSERT_EQ(whole.pixels[c], photo.pixels[c]);
      } else if (share.values[i] == 255) {
        ASSERT_EQ(whole.pixels[c], edit.pixels[c]);
      } else {
        const double wanted =
            photo.pixels[c] + (edit.pixels[c] - photo.pixels[c]) * (share.values[i] / 255.0);
        ASSERT_NEAR(whole.pixels[c], wanted, 0.51);
        ++mixed;
      }
    }
  }
  EXPECT_GT(mixed, 100);
}

}  // namespace
}  // namespace ip2p
