#include "common/training/train_config.h"

#include <cmath>

#include "common/training/lr_schedule.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(TrainConfig, DefaultsAreValid) {
  EXPECT_TRUE(ValidateTrainConfig({}, /*world_size=*/1).ok());
  EXPECT_TRUE(ValidateTrainConfig({}, /*world_size=*/4).ok());
}

TEST(TrainConfig, AllFaultsAreListedTogether) {
  TrainConfig config;
  config.objective = TrainObjective::kClip;
  config.learning_rate = std::nan("");
  config.batch_size = 3;
  config.accumulation = 2;
  config.resolution = 100;
  config.drop_text = 0.9;
  config.drop_image = 0.9;
  config.train_text_encoder = true;
  config.min_snr_gamma = 5;
  config.fit_guidance = 3;
  config.decoder_only = true;
  config.latent_noise = 11;
  const absl::Status status = ValidateTrainConfig(config, 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("world_size is 0; wants 1..1024"), HasSubstr("learning_rate is nan"),
            HasSubstr("resolution is 100; wants a multiple of 64"), HasSubstr("sum to 1.85"),
            HasSubstr("train_text_encoder is true"), HasSubstr("min_snr_gamma is 5; wants 0 for clip"),
            HasSubstr("fit_guidance is 3; wants 1 for clip"),
            HasSubstr("decoder_only is true; wants false for clip"),
            HasSubstr("latent_noise is 11; wants a finite number in 0..10")));
}

TEST(TrainConfig, LatentsAreNoisyForADecoderAlone) {
  TrainConfig config{.objective = TrainObjective::kAutoencoder, .latent_noise = 0.5};
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()),
              HasSubstr("latent_noise is 0.5; wants 0 without decoder_only"));
  config.decoder_only = true;
  EXPECT_TRUE(ValidateTrainConfig(config, 1).ok()) << ValidateTrainConfig(config, 1);
}

TEST(TrainConfig, GuidanceNeedsSamplesWithoutText) {
  TrainConfig config{.drop_text = 0, .drop_both = 0, .fit_guidance = 3};
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()),
              HasSubstr("fit_guidance is 3; wants 1 where no sample goes without its text"));
  config.drop_both = 0.1;
  EXPECT_TRUE(ValidateTrainConfig(config, 1).ok()) << ValidateTrainConfig(config, 1);
  config.fit_guidance = 0;
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()),
              HasSubstr("fit_guidance is 0; wants a finite number in 0.1..20"));
}

TEST(TrainConfig, CropsAreCutFromLargerPictures) {
  TrainConfig config;
  config.min_resize = 200;
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()),
              HasSubstr("min_resize is 200; wants 256"));
  config.min_resize = 288;
  EXPECT_EQ(MaxResize(config), 288);
  EXPECT_TRUE(ValidateTrainConfig(config, 1).ok());
  config.max_resize = 260;
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()),
              HasSubstr("max_resize is 260; wants 288"));
  config.max_resize = 320;
  EXPECT_TRUE(ValidateTrainConfig(config, 1).ok());
  EXPECT_NE(TrainConfigDigest(config), TrainConfigDigest({}));
  config.cache_latents = true;
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 1).message()), HasSubstr("cache_latents is true"));
}

TEST(TrainConfig, ClipNeedsPicturesToTellApart) {
  TrainConfig config;
  config.objective = TrainObjective::kClip;
  config.batch_size = 4;
  EXPECT_TRUE(ValidateTrainConfig(config, 2).ok());
  EXPECT_THAT(std::string(ValidateTrainConfig(config, 4).message()),
              HasSubstr("batch_size is 4; wants at least 8 for clip"));
}

TEST(TrainConfig, BatchIsSharedEvenly) {
  TrainConfig config;
  config.batch_size = 30;
  const absl::Status status = ValidateTrainConfig(config, 4);
  EXPECT_THAT(std::string(status.message()), HasSubstr("batch_size is 30; wants a multiple of"));
}

TEST(TrainConfig, DigestFollowsWhatDecidesTheWeights) {
  TrainConfig config, other = config;
  other.max_steps *= 2;
  other.checkpoint_every = 5;
  other.gradient_checkpointing = true;
  EXPECT_EQ(TrainConfigDigest(config), TrainConfigDigest(other)) << "a run may be made longer";
  other.lr_schedule = config.lr_schedule = LrSchedule::kCosine;
  EXPECT_NE(TrainConfigDigest(config), TrainConfigDigest(other)) << "unless the schedule follows its length";
  const auto differs = [&](auto change) {
    TrainConfig changed = config;
    change(changed);
    EXPECT_NE(TrainConfigDigest(config), TrainConfigDigest(changed));
  };
  differs([](TrainConfig& c) { c.seed = 1; });
  differs([](TrainConfig& c) { c.min_snr_gamma = 5; });
  differs([](TrainConfig& c) { c.fit_guidance = 3; });
  differs([](TrainConfig& c) { c.group_size = 8; });
  differs([](TrainConfig& c) { c.decoder_only = true; });
  differs([](TrainConfig& c) { c.precision = Precision::kBFloat16; });
  differs([](TrainConfig& c) { c.optimizer = TrainOptimizer::kAdamW8Bit; });
}

// As diffusers' get_scheduler("constant_with_warmup" and "cosine").
TEST(LrSchedule, WarmsUpThenStaysOrFalls) {
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kConstant, 0, 4, 100), 0);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kConstant, 1, 4, 100), 0.25);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kConstant, 4, 4, 100), 1);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kConstant, 99, 4, 100), 1);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kCosine, 10, 10, 110), 1);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 60, 10, 110), 0.5, 1e-12);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 110, 10, 110), 0, 1e-12);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 200, 10, 110), 0, 1e-12);
}

}  // namespace
}  // namespace ip2p
