// Masked edits through the engine, with a miniature model: what is kept, what changes, what a mask is found
// by.
#include <algorithm>
#include <cmath>
#include <future>

#include "common/pipeline/edit_engine.h"
#include "common/pipeline/masked_edit.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

Image Photo(int width, int height) {
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>((i / 3 % width * 3 + i / 3 / width * 2 + i % 3 * 60) & 255);
  }
  return image;
}

std::shared_ptr<const Mask> BoxMask(int width, int height, int left, int top, int right, int bottom) {
  auto mask = std::make_shared<Mask>(Mask{width, height, std::vector<uint8_t>(size_t{1} * width * height)});
  for (int y = top; y < bottom; ++y) {
    std::fill_n(mask->values.begin() + static_cast<size_t>(y) * width + left, right - left, 255);
  }
  return mask;
}

std::unique_ptr<EditEngine> MakeEngine() {
  auto engine =
      EditEngine::Create(RandomModel(TinyConfig(), 7), {.precision = Precision::kFloat32, .threads = 1});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// As the engine gives it, before the rest is put around it.
absl::StatusOr<EditResult> Edited(EditEngine& engine, const Image& photo, const EditParams& params,
                                  std::vector<Image>* previews = nullptr) {
  std::promise<absl::StatusOr<EditResult>> promise;
  EditCallbacks callbacks;
  callbacks.progress = [&](const EditProgress& progress) {
    if (previews != nullptr && progress.preview) previews->push_back(*progress.preview);
  };
  callbacks.done = [&](absl::StatusOr<EditResult> result) { promise.set_value(std::move(result)); };
  const absl::Status submitted = engine.Submit(photo, params, absl::InfiniteFuture(), callbacks).status();
  if (!submitted.ok()) return submitted;
  return promise.get_future().get();
}

EditParams Params() { return {.instruction = "make it blue", .steps = 6, .resolution = 128, .seed = 3}; }

double MeanDifference(const Image& a, const Image& b, int left, int top, int right, int bottom) {
  double sum = 0;
  for (int y = top; y < bottom; ++y) {
    for (int i = 3 * left; i < 3 * right; ++i) {
      const size_t at = size_t{3} * y * a.width + i;
      sum += std::abs(int{a.pixels[at]} - int{b.pixels[at]});
    }
  }
  return sum / (3.0 * (right - left) * (bottom - top));
}

class MaskedEngineTest : public ::testing::TestWithParam<SamplerKind> {};

// Two edits with other instructions, seeds and scales differ inside of the mask only, even in what the
// decoder makes of it: its group norms and its attention see the whole picture, which moves the rest by some
// levels with random weights.
TEST_P(MaskedEngineTest, WhatIsDenoisedOutsideIsThePhotoWhateverIsAskedFor) {
  auto engine = MakeEngine();
  const Image photo = Photo(128, 128);
  EditParams params = Params();
  params.sampler = GetParam();
  params.mask = BoxMask(128, 128, 8, 8, 40, 40);
  const auto first = Edited(*engine, photo, params);
  params.instruction = "turn it into the sea";
  params.seed = 99;
  params.cfg_image = 1.2;
  const auto second = Edited(*engine, photo, params);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  const Image &a = first->outputs[0].image, &b = second->outputs[0].image;
  EXPECT_LT(MeanDifference(a, b, 96, 96, 128, 128), 4);
  EXPECT_GT(MeanDifference(a, b, 8, 8, 40, 40), 8);
}

INSTANTIATE_TEST_SUITE_P(Samplers, MaskedEngineTest, ::testing::ValuesIn(AllSamplers()),
                         [](const auto& test) { return std::string(SamplerName(test.param)); });

TEST(MaskedEngine, AMaskOfEverythingIsTheEditWithoutOne) {
  auto engine = MakeEngine();
  const Image photo = Photo(128, 64);  // of the size that is denoised, so that nothing is resized
  EditParams params = Params();
  const auto plain = Edited(*engine, photo, params);
  params.mask = BoxMask(128, 64, 0, 0, 128, 64);
  auto masked = Edited(*engine, photo, params);
  ASSERT_TRUE(plain.ok() && masked.ok());
  ASSERT_TRUE(KeepTheRest(photo, *masked).ok());
  EXPECT_EQ(plain->outputs[0].image, masked->outputs[0].image);
}

TEST(MaskedEngine, TheWholePhotoIsSeenNotItsMiddle) {
  auto engine = MakeEngine();
  const Image photo = Photo(127, 64);  // the reference would crop it to 64x64
  EditParams params = Params();
  params.resolution = 64;
  params.mask = BoxMask(127, 64, 100, 0, 127, 64);
  auto result = Edited(*engine, photo, params);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_TRUE(KeepTheRest(photo, *result).ok());
  const Image& whole = result->outputs[0].image;
  ASSERT_EQ(whole.width, 127);
  ASSERT_EQ(whole.height, 64);
  EXPECT_EQ(MeanDifference(photo, whole, 0, 0, 100, 64), 0);
  EXPECT_GT(MeanDifference(photo, whole, 110, 0, 127, 64), 8);
}

TEST(MaskedEngine, PreviewsShowThePhotoAround) {
  auto engine = MakeEngine();
  EditParams params = Params();
  params.mask = BoxMask(128, 128, 0, 0, 32, 32);
  params.preview_every = 1;
  std::vector<Image> previews;
  ASSERT_TRUE(Edited(*engine, Photo(128, 128), params, &previews).ok());
  ASSERT_EQ(previews.size(), 6u);
  EXPECT_EQ(MeanDifference(previews[0], previews[5], 4, 4, 16, 16), 0);
  EXPECT_GT(MeanDifference(previews[0], previews[5], 0, 0, 4, 4), 2);
}

TEST(MaskedEngine, EachOutputFindsItsOwnAutoMask) {
  auto engine = MakeEngine();
  const Image photo = Photo(150, 100);
  EditParams params = Params();
  params.auto_mask = 0.5;
  params.count = 2;
  auto result = Edited(*engine, photo, params);
  ASSERT_TRUE(result.ok()) << result.status();
  for (const EditOutput& output : result->outputs) {
    EXPECT_EQ(output.mask.width * 8, output.image.width);
    EXPECT_EQ(output.mask.height * 8, output.image.height);
    EXPECT_TRUE(EditsAnything(output.mask));
  }
  EXPECT_NE(result->outputs[0].mask, result->outputs[1].mask);
  ASSERT_TRUE(KeepTheRest(photo, *result).ok());
  for (const EditOutput& output : result->outputs) {
    ASSERT_EQ(output.mask.width, 150);
    for (size_t i = 0; i < output.mask.values.size(); ++i) {
      if (output.mask.values[i] != 0) continue;
      ASSERT_TRUE(std::equal(&photo.pixels[3 * i], &photo.pixels[3 * i] + 3, &output.image.pixels[3 * i]));
    }
    EXPECT_NE(output.image, photo);
  }
}

// Where a scale leaves out a branch, the mask still has its difference; one step is enough to settle it.
TEST(MaskedEngine, AnAutoMaskNeedsNeitherScalesNorSteps) {
  auto engine = MakeEngine();
  for (const auto& [text, image] : {std::pair(2.0, 2.0), std::pair(0.0, 1.5), std::pair(1.0, 1.0)}) {
    EditParams params = Params();
    params.cfg_text = text;
    params.cfg_image = image;
    params.steps = 1;
    params.auto_mask = 0.5;
    auto result = Edited(*engine, Photo(128, 64), params);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(EditsAnything(result->outputs[0].mask));
  }
}

TEST(MaskedEngine, AThresholdOfZeroIsTheEditWithoutAMask) {
  auto engine = MakeEngine();
  const Image photo = Photo(128, 64);
  EditParams params = Params();
  const auto plain = Edited(*engine, photo, params);
  params.auto_mask = 0;
  auto found = Edited(*engine, photo, params);
  ASSERT_TRUE(plain.ok() && found.ok());
  ASSERT_TRUE(KeepTheRest(photo, *found).ok());
  EXPECT_EQ(plain->outputs[0].image, found->outputs[0].image);
}

TEST(MaskedEngine, MasksThatDoNotFitAreRefused) {
  auto engine = MakeEngine();
  EditParams params = Params();
  params.mask = BoxMask(64, 128, 0, 0, 1, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(Edited(*engine, Photo(128, 64), params).status()));
}

}  // namespace
}  // namespace ip2p
