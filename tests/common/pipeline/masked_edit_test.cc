#include "common/pipeline/masked_edit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "common/image/fit.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/parameters_text.h"
#include "common/pipeline/unedited.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Image Noise(int width, int height, unsigned seed = 1) {
  std::mt19937 random(seed);
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
  return image;
}

std::shared_ptr<Mask> Circle(int width, int height) {
  auto mask = std::make_shared<Mask>(Mask{width, height, std::vector<uint8_t>(size_t{1} * width * height)});
  const double radius = std::min(width, height) / 4.0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (std::hypot(x - width / 2.0, y - height / 2.0) < radius) {
        mask->values[static_cast<size_t>(y) * width + x] = 255;
      }
    }
  }
  return mask;
}

EditResult ResultOf(const EditParams& params, Image image, Mask relevance = {}) {
  EditResult result{.params = params};
  result.outputs.push_back({.image = std::move(image), .seed = 1, .mask = std::move(relevance)});
  return result;
}

// Sizes of the issue, with what the reference's rule makes of them.
struct SizeCase {
  ImageSize photo;
  int resolution;
  ImageSize canvas;
};

class MaskedSizeTest : public ::testing::TestWithParam<SizeCase> {};

TEST_P(MaskedSizeTest, ThePhotosSizeComesBackAndOutsideEveryByte) {
  const auto& [size, resolution, canvas] = GetParam();
  const Image photo = Noise(size.width, size.height);
  EditParams params{.instruction = "x", .resolution = resolution, .mask = Circle(size.width, size.height)};
  const auto denoised = DenoisedSizeOf(size, resolution);
  ASSERT_TRUE(denoised.ok());
  EXPECT_EQ(denoised->canvas, canvas);
  const auto seen = DenoisedPhoto(photo, params, *denoised);
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ((ImageSize{seen->width, seen->height}), canvas);

  EditResult result = ResultOf(params, Noise(denoised->photo.width, denoised->photo.height, 2));
  ASSERT_TRUE(KeepTheRest(photo, result).ok());
  const Image& whole = result.outputs[0].image;
  ASSERT_EQ((ImageSize{whole.width, whole.height}), size);
  int64_t changed = 0;
  for (size_t i = 0; i < params.mask->values.size(); ++i) {
    const bool same = std::equal(&photo.pixels[3 * i], &photo.pixels[3 * i] + 3, &whole.pixels[3 * i]);
    ASSERT_TRUE(same || params.mask->values[i] != 0) << i;
    if (!same) ++changed;
  }
  EXPECT_GT(changed, std::count(params.mask->values.begin(), params.mask->values.end(), 255) * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Sizes, MaskedSizeTest,
                         ::testing::Values(SizeCase{{451, 300}, 512, {576, 384}},
                                           SizeCase{{451, 300}, 0, {512, 320}},
                                           SizeCase{{1023, 767}, 512, {512, 384}},
                                           SizeCase{{1023, 767}, 0, {1024, 768}},
                                           SizeCase{{64, 250}, 64, {64, 192}}));

TEST(LatentMaskTest, ACellMayChangeWhenAPixelInItMay) {
  // Against the definition: a pixel and a cell meet when their parts of the photo overlap.
  std::mt19937 random(5);
  for (const auto& [size, resolution] :
       {std::pair(ImageSize{451, 300}, 128), std::pair(ImageSize{100, 70}, 512),
        std::pair(ImageSize{130, 65}, 0), std::pair(ImageSize{128, 64}, 128)}) {
    const DenoisedSize denoised = *DenoisedSizeOf(size, resolution);
    Mask mask{size.width, size.height, std::vector<uint8_t>(size_t{1} * size.width * size.height)};
    for (int i = 0; i < 5; ++i) mask.values[random() % mask.values.size()] = 255;
    const Mask cells = LatentMask(mask, denoised, 8);
    ASSERT_EQ(cells.width, denoised.canvas.width / 8);
    ASSERT_EQ(cells.height, denoised.canvas.height / 8);
    const double across = double{1} * size.width / denoised.photo.width;
    const double down = double{1} * size.height / denoised.photo.height;
    for (int i = 0; i < cells.height; ++i) {
      for (int j = 0; j < cells.width; ++j) {
        bool meets = false;
        for (int y = 0; y < size.height; ++y) {
          for (int x = 0; x < size.width; ++x) {
            if (mask.values[static_cast<size_t>(y) * size.width + x] == 0) continue;
            // The last row and column go on into the padding.
            const double right = x + 1 == size.width ? 1e9 : x + 1,
                         bottom = y + 1 == size.height ? 1e9 : y + 1;
            meets = meets || (x < (j + 1) * 8 * across - 1e-9 && right > j * 8 * across + 1e-9 &&
                              y < (i + 1) * 8 * down - 1e-9 && bottom > i * 8 * down + 1e-9);
          }
        }
        ASSERT_EQ(cells.values[static_cast<size_t>(i) * cells.width + j] != 0, meets) << j << "," << i;
      }
    }
  }
}

TEST(KeepTheRestTest, AnyOtherEditIsLeftAlone) {
  EditResult result = ResultOf({.instruction = "x"}, Noise(64, 64));
  ASSERT_TRUE(KeepTheRest(Noise(90, 70), result).ok());
  EXPECT_EQ(result.outputs[0].image, Noise(64, 64));
}

TEST(KeepTheRestTest, AMaskOfAnotherPhotoIsRefused) {
  EditResult result = ResultOf({.mask = Circle(91, 70)}, Noise(64, 64));
  EXPECT_EQ(KeepTheRest(Noise(90, 70), result).code(), absl::StatusCode::kInternal);
}

Mask LeftHalf(int width, int height) {
  Mask relevance{width, height, std::vector<uint8_t>(size_t{1} * width * height)};
  for (size_t i = 0; i < relevance.values.size(); ++i) {
    relevance.values[i] = static_cast<int>(i % width) < width / 2 ? 255 : 0;
  }
  return relevance;
}

TEST(KeepTheRestTest, TheAutoMaskIsTheRelevancesContour) {
  const Image photo = Noise(451, 300);
  EditParams params{.instruction = "x", .resolution = 512, .auto_mask = 0.5, .mask_feather = 0};
  EditResult result = ResultOf(params, Noise(576, 384, 2), LeftHalf(72, 48));
  ASSERT_TRUE(KeepTheRest(photo, result).ok());
  const EditOutput& output = result.outputs[0];
  ASSERT_EQ(output.mask.width, 451);
  ASSERT_EQ(output.mask.height, 300);
  for (int x = 0; x < 451; ++x) {
    if (std::abs(x - 225) <= 3) continue;
    EXPECT_EQ(output.mask.values[451 * 150 + x], x < 225 ? 255 : 0) << x;
  }
  for (size_t i = 0; i < output.mask.values.size(); ++i) {
    if (output.mask.values[i] == 0) {
      ASSERT_TRUE(std::equal(&photo.pixels[3 * i], &photo.pixels[3 * i] + 3, &output.image.pixels[3 * i]));
    }
  }
  EXPECT_NE(output.image.pixels[0], photo.pixels[0]);
}

// With resolution 0 the cells reach into the padding, which is no part of the picture.
TEST(KeepTheRestTest, TheAutoMaskLeavesThePaddingOut) {
  const Image photo = Noise(65, 64);
  EditParams params{.instruction = "x", .resolution = 0, .auto_mask = 0.5};
  EditResult result = ResultOf(params, Noise(65, 64, 2), LeftHalf(16, 8));
  ASSERT_TRUE(KeepTheRest(photo, result).ok());
  const Mask& mask = result.outputs[0].mask;
  EXPECT_EQ(std::count(mask.values.begin(), mask.values.begin() + 65, 255), 64);
}

TEST(KeepTheRestTest, WhereNothingWasRelevantThePhotoComesBack) {
  const Image photo = Noise(70, 64);
  EditParams params{.instruction = "x", .resolution = 64, .auto_mask = 0.5};
  for (const Mask& relevance : {Mask{}, Mask{8, 8, std::vector<uint8_t>(64)}}) {
    EditResult result = ResultOf(params, Noise(64, 64, 2), relevance);
    ASSERT_TRUE(KeepTheRest(photo, result).ok());
    EXPECT_EQ(result.outputs[0].image, photo);
    EXPECT_FALSE(EditsAnything(result.outputs[0].mask));
  }
}

TEST(UneditedTest, AMaskedEditOfNothingIsThePhoto) {
  const Image photo = Noise(451, 300);
  EditParams params{.resolution = 128, .mask = Circle(451, 300), .mask_feather = 8};
  auto result = Unedited(photo, params);
  ASSERT_TRUE(result.ok());
  ASSERT_TRUE(KeepTheRest(photo, *result).ok());
  EXPECT_EQ(result->outputs[0].image, photo);
}

TEST(ValidateMaskTest, FaultsNameTheField) {
  const Image photo = Noise(20, 10);
  const auto fault = [&](const EditParams& params) {
    return std::string(ValidateEdit(params, photo).message());
  };
  EXPECT_EQ(fault({.mask = Circle(20, 10)}), "");
  EXPECT_EQ(fault({.auto_mask = 0.5, .mask_feather = 64}), "");
  EXPECT_THAT(fault({.mask = Circle(10, 20)}),
              HasSubstr("mask is 10x20; wants the size of the photo, upright 20x10"));
  EXPECT_THAT(fault({.mask = std::make_shared<Mask>(Mask{20, 10, std::vector<uint8_t>(200)})}),
              HasSubstr("mask is black everywhere"));
  EXPECT_THAT(fault({.mask = Circle(20, 10), .auto_mask = 0.5}),
              HasSubstr("mask and auto_mask are both given; wants one of them"));
  EXPECT_THAT(fault({.auto_mask = 1.5}), HasSubstr("auto_mask is 1.5; wants a finite number in 0..1"));
  EXPECT_THAT(fault({.auto_mask = std::nan("")}), HasSubstr("auto_mask is nan"));
  EXPECT_THAT(fault({.mask_feather = 65}), HasSubstr("mask_feather is 65; wants 0..64"));
}

TEST(ParametersTextTest, TellsOfTheMask) {
  const EditOutput output{.image = Noise(8, 8), .seed = 3};
  EXPECT_THAT(ParametersText({.mask = Circle(8, 8)}, output, ""),
              HasSubstr(", Mask: given, Mask feather: 8, Size: 8x8"));
  EXPECT_THAT(ParametersText({.auto_mask = 0.4, .mask_feather = 0}, output, ""),
              HasSubstr(", Mask: auto 0.4, Mask feather: 0,"));
  EXPECT_THAT(ParametersText({}, output, ""), Not(HasSubstr("Mask")));
}

}  // namespace
}  // namespace ip2p
