// Pairs from a miniature model with random weights. Against PyTorch: tests/parity/test_pairs.py.
#include "common/pipeline/pair_sampler.h"

#include <cmath>
#include <cstdlib>
#include <functional>

#include "common/checkpoint/model_writer.h"
#include "common/diffusion/request_noise.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

const PairPrompt kPrompt{.caption = "a green hill", .output = "a white hill in winter"};

ModelConfig TextToImage() {
  ModelConfig config = TinyConfig();
  config.unet.in_channels = config.vae.latent_channels;
  return config;
}

class PairSamplerTest : public testing::Test {
 protected:
  std::string Save(const ModelSource& source) {
    const std::string path = folder_.In("model-" + std::to_string(saved_++));
    const absl::Status status = SaveDiffusersFolder(source, path);
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  std::unique_ptr<PairSampler> Make(PairSamplerOptions options) {
    if (model_.empty()) model_ = Save(RandomModel(TextToImage(), 7));
    options.threads = 1;
    auto sampler = PairSampler::Create({.checkpoint = model_}, options);
    EXPECT_TRUE(sampler.ok()) << sampler.status();
    return *std::move(sampler);
  }

 private:
  TempFolder folder_;
  int saved_ = 0;
  std::string model_;
};

PairParams Params(int steps = 4) {
  return {.steps = steps, .thresholds = {.clip = 0, .dir = 0, .img = 0}, .resolution = 64};
}

std::vector<MadeSample> MadeOf(PairSampler& sampler, const PairParams& params,
                               const std::vector<uint64_t>& seeds, const PairPrompt& prompt = kPrompt) {
  std::vector<MadeSample> made;
  const size_t batch = sampler.BatchSize(params.resolution);
  for (size_t done = 0; done < seeds.size(); done += batch) {
    auto part = sampler.Make(
        prompt, params, std::span(seeds).subspan(done).first(std::min(batch, seeds.size() - done)), nullptr);
    EXPECT_TRUE(part.ok()) << part.status();
    for (MadeSample& sample : *part) made.push_back(std::move(sample));
  }
  return made;
}

int LargestDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size() && i < b.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return largest;
}

TEST_F(PairSamplerTest, ASampleDoesNotDependOnItsBatch) {
  const std::vector<uint64_t> seeds = {5, 6, 7, 8, 9, 10, 11};
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16}) {
    const auto solo = MadeOf(*Make({.precision = precision, .batch = 1}), Params(6), seeds);
    for (const int batch : {0, 2, 3, 7}) {
      const auto batched = MadeOf(*Make({.precision = precision, .batch = batch}), Params(6), seeds);
      ASSERT_EQ(solo.size(), batched.size());
      for (size_t i = 0; i < seeds.size(); ++i) {
        EXPECT_EQ(solo[i].p2p_threshold, batched[i].p2p_threshold);
        EXPECT_EQ(solo[i].before, batched[i].before) << PrecisionName(precision) << ", batch " << batch;
        EXPECT_EQ(solo[i].after, batched[i].after) << PrecisionName(precision) << ", batch " << batch;
      }
    }
  }
}

TEST_F(PairSamplerTest, SeedsDecide) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 3});
  EXPECT_EQ(sampler->precision_name(), "fp32");
  EXPECT_EQ(sampler->fingerprint().size(), 32);
  const auto made = MadeOf(*sampler, Params(), {1, 2, 1});
  EXPECT_EQ(made[0].before, made[2].before);
  EXPECT_EQ(made[0].after, made[2].after);
  EXPECT_NE(made[0].before, made[1].before);
  EXPECT_GT(LargestDifference(made[0].before, made[0].after), 4);
  EXPECT_EQ(made[0].before.width, 64);
  EXPECT_EQ(made[0].before.height, 64);
  EXPECT_TRUE(made[0].finite);
  EXPECT_FALSE(made[0].scores.has_value());
}

TEST_F(PairSamplerTest, ThresholdAndScaleAreDrawnAfterTheStartNoise) {
  PairParams params = Params(1);
  params.min_p2p = 0.2;
  params.max_p2p = 0.3;
  params.min_cfg = 2;
  params.max_cfg = 12;
  const auto made = MadeOf(*Make({.precision = Precision::kFloat32}), params, {77});
  NoiseGenerator noise(77, torch::kCPU);
  noise.Draw({1, 4, 8, 8});
  EXPECT_EQ(made[0].p2p_threshold, 0.2 + noise.DrawUniform() * (0.3 - 0.2));
  EXPECT_EQ(made[0].cfg_scale, 2 + noise.DrawUniform() * (12 - 2));
}

TEST_F(PairSamplerTest, EqualCaptionsGiveEqualImages) {
  const auto made = MadeOf(*Make({.precision = Precision::kFloat32}), Params(), {3},
                           {.caption = "a hill", .output = "a hill"});
  EXPECT_LE(LargestDifference(made[0].before, made[0].after), 1);
}

TEST_F(PairSamplerTest, SharedMapsTieTheImagesTogether) {
  const auto sampler = Make({.precision = Precision::kFloat32});
  PairParams shared = Params(6), apart = Params(6);
  shared.min_p2p = shared.max_p2p = 1;
  apart.min_p2p = apart.max_p2p = 0;
  const auto with = MadeOf(*sampler, shared, {3}), without = MadeOf(*sampler, apart, {3});
  EXPECT_LE(LargestDifference(with[0].before, without[0].before), 1);  // the first image knows nothing of it
  EXPECT_GT(LargestDifference(with[0].after, without[0].after), 4);
}

TEST_F(PairSamplerTest, CommonStepsKeepTheFirstImageAndTieTheSecondToIt) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 2});
  PairParams apart = Params(6);
  apart.min_p2p = apart.max_p2p = 0;
  PairParams half = apart, all = apart;
  half.common_steps = 0.5;
  all.common_steps = 1;
  const auto none = MadeOf(*sampler, apart, {3, 4}), some = MadeOf(*sampler, half, {3, 4}),
             whole = MadeOf(*sampler, all, {3, 4});
  for (size_t i = 0; i < none.size(); ++i) {
    EXPECT_LE(LargestDifference(none[i].before, some[i].before), 1) << "the first image knows nothing of it";
    EXPECT_LE(LargestDifference(none[i].before, whole[i].before), 1);
    EXPECT_GT(LargestDifference(some[i].before, some[i].after), 0);
    EXPECT_GT(LargestDifference(none[i].after, some[i].after), 0);
    EXPECT_EQ(whole[i].before, whole[i].after);
  }
}

Image Gradient(int side, int slope) {
  Image image{.width = side, .height = side};
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      for (int c = 0; c < 3; ++c)
        image.pixels.push_back(static_cast<uint8_t>((slope * x + 2 * y + 40 * c) % 256));
    }
  }
  return image;
}

TEST_F(PairSamplerTest, APhotoIsTheFirstImageAndTheCommonStepsLeadToIt) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 2});
  PairParams half = Params(6), all = half;
  half.common_steps = 0.5;
  all.common_steps = 1;
  PairPrompt with = kPrompt, other = kPrompt;
  with.photo = Gradient(64, 3);
  other.photo = Gradient(96, 1);  // fitted to the resolution
  const auto whole = MadeOf(*sampler, all, {3, 4}, with), some = MadeOf(*sampler, half, {3, 4}, with),
             foreign = MadeOf(*sampler, half, {3, 4}, other), again = MadeOf(*sampler, half, {3, 4}, with),
             plain = MadeOf(*sampler, half, {3, 4});
  for (size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i].before, with.photo);
    EXPECT_EQ(foreign[i].before.width, 64);
    EXPECT_GT(LargestDifference(foreign[i].before, some[i].before), 4) << "the texts are the same";
    // With all steps in common: the photo, through the autoencoder, whatever the seed.
    EXPECT_LE(LargestDifference(whole[i].after, whole[0].after), 1);
    EXPECT_GT(LargestDifference(whole[i].after, some[i].after), 0);
    EXPECT_EQ(some[i].after, again[i].after);
    EXPECT_EQ(some[i].p2p_threshold, plain[i].p2p_threshold);
    EXPECT_EQ(some[i].cfg_scale, plain[i].cfg_scale);
  }
  EXPECT_GT(LargestDifference(some[0].after, some[1].after), 0);

  // Words that say the same change nothing: the second image is the photo everywhere.
  PairPrompt same = with;
  same.output = same.caption;
  EXPECT_LE(LargestDifference(MadeOf(*sampler, Params(6), {3}, same)[0].after, whole[0].after), 1);
}

TEST_F(PairSamplerTest, APhotoOfTheEditedCaptionIsTheOtherPairTurnedRound) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 2});
  PairParams half = Params(6);
  half.common_steps = 0.5;
  PairPrompt forward = kPrompt, back{.caption = kPrompt.output, .output = kPrompt.caption};
  forward.photo = back.photo = Gradient(64, 3);
  back.photo_side = PhotoSide::kAfter;
  const auto before = MadeOf(*sampler, half, {3, 4}, forward), after = MadeOf(*sampler, half, {3, 4}, back);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].after, back.photo);
    EXPECT_EQ(after[i].before, before[i].after);
  }
}

TEST_F(PairSamplerTest, PhotosMostOfWhichChangesHaveCommonStepsOfTheirOwn) {
  // The random model hears words everywhere, so that no region is small.
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 1});
  PairParams half = Params(6), both = half, third = half;
  half.common_steps = both.common_steps = 0.5;
  both.whole_common_steps = 0.3;
  third.common_steps = 0.3;
  PairPrompt with = kPrompt;
  with.photo = Gradient(64, 3);
  EXPECT_EQ(MadeOf(*sampler, both, {3}, with)[0].after, MadeOf(*sampler, third, {3}, with)[0].after);
  EXPECT_NE(MadeOf(*sampler, both, {3}, with)[0].after, MadeOf(*sampler, half, {3}, with)[0].after);
  EXPECT_EQ(MadeOf(*sampler, both, {3})[0].after, MadeOf(*sampler, half, {3})[0].after);  // no photo
}

TEST_F(PairSamplerTest, ReusingMapsChangesNothing) {
  PairParams params = Params(6);
  params.min_p2p = 0.9;
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    const auto with = MadeOf(*Make({.precision = precision}), params, {3, 4});
    const auto without = MadeOf(*Make({.precision = precision, .share_maps = false}), params, {3, 4});
    for (size_t i = 0; i < with.size(); ++i) {
      EXPECT_LE(LargestDifference(with[i].before, without[i].before), 1);
      EXPECT_LE(LargestDifference(with[i].after, without[i].after), 1);
    }
  }
}

TEST_F(PairSamplerTest, TheHookHearsEveryStepAndEndsTheBatch) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 2});
  std::vector<int> heard;
  const std::vector<uint64_t> seeds = {1, 2};
  const auto stopped = sampler->Make(kPrompt, Params(5), seeds, [&](int step, int steps) {
    EXPECT_EQ(steps, 5);
    heard.push_back(step);
    return step == 3 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(stopped.status(), absl::CancelledError("enough"));
  EXPECT_THAT(heard, testing::ElementsAre(1, 2, 3));
}

TEST_F(PairSamplerTest, WhatIsNotFiniteHasNoImages) {
  ModelSource broken = RandomModel(TextToImage(), 7);
  TensorView& weight = broken.unet.at("conv_out.weight");
  auto huge = std::make_shared<torch::Tensor>(torch::full(weight.shape, 1e38));
  weight.data = {static_cast<const std::byte*>(huge->data_ptr()), huge->nbytes()};
  weight.owner = huge;
  auto sampler = PairSampler::Create({.checkpoint = Save(broken)}, {.precision = Precision::kFloat32});
  ASSERT_TRUE(sampler.ok()) << sampler.status();
  const auto made = MadeOf(**sampler, Params(), {1});
  EXPECT_FALSE(made[0].finite);
  EXPECT_TRUE(made[0].before.pixels.empty());
}

TEST_F(PairSamplerTest, SaysWhatItCannotDo) {
  const auto sampler = Make({.precision = Precision::kFloat32, .batch = 2});
  PairParams scored = Params();
  scored.thresholds.clip = 0.2;
  const std::vector<uint64_t> one = {1}, three = {1, 2, 3};
  EXPECT_EQ(sampler->Make(kPrompt, scored, one, nullptr).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const absl::Status many = sampler->Make(kPrompt, Params(), three, nullptr).status();
  EXPECT_EQ(many.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(many.message()), HasSubstr("wants at most 2"));
  EXPECT_EQ(sampler->Make(kPrompt, Params(0), one, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);

  const absl::Status edit =
      PairSampler::Create({.checkpoint = Save(RandomModel(TinyConfig(), 7))}, {}).status();
  EXPECT_EQ(edit.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(edit.message()), HasSubstr("takes 8 channels; wants 4"));
  EXPECT_EQ(PairSampler::Create({}, {.batch = 257}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
