#include "common/diffusion/noise_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ip2p {
namespace {

TEST(NoiseScheduleTest, StableDiffusionsConstants) {
  const NoiseSchedule schedule{SchedulerConfig{}};
  ASSERT_EQ(schedule.alphas_cumprod().size(), 1000u);
  EXPECT_DOUBLE_EQ(schedule.alphas_cumprod().front(), 1 - 0.00085);
  EXPECT_NEAR(schedule.alphas_cumprod().back(), 0.0046599, 1e-6);  // diffusers' scaled_linear, timestep 999
  EXPECT_NEAR(schedule.sigma_max(), 14.6146, 1e-4);  // k-diffusion's and ComfyUI's printed values
  EXPECT_NEAR(schedule.sigma_min(), 0.0292, 5e-5);
}

TEST(NoiseScheduleTest, LinearBetas) {
  const NoiseSchedule schedule{
      SchedulerConfig{.beta_start = 0.0001, .beta_end = 0.02, .scaled_linear = false}};
  EXPECT_NEAR(schedule.alphas_cumprod().back(), 4.0358e-5, 1e-8);  // DDPM's schedule (Ho et al. 2020)
}

TEST(NoiseScheduleTest, SigmasAndTimestepsAreInverse) {
  const NoiseSchedule schedule{SchedulerConfig{}};
  for (double t : {0.0, 0.25, 1.0, 37.5, 500.0, 998.999, 999.0}) {
    EXPECT_NEAR(schedule.SigmaToTimestep(schedule.TimestepToSigma(t)), t, 1e-9);
  }
  EXPECT_DOUBLE_EQ(schedule.TimestepToSigma(0), schedule.sigma_min());
  EXPECT_DOUBLE_EQ(schedule.TimestepToSigma(999), schedule.sigma_max());
  // Between two timesteps log sigma is linear.
  EXPECT_NEAR(schedule.TimestepToSigma(10.5),
              std::sqrt(schedule.TimestepToSigma(10) * schedule.TimestepToSigma(11)), 1e-12);
}

TEST(NoiseScheduleTest, OutsideTheRangeIsTheNearestEnd) {
  const NoiseSchedule schedule{SchedulerConfig{}};
  EXPECT_EQ(schedule.SigmaToTimestep(1e6), 999);
  EXPECT_EQ(schedule.SigmaToTimestep(1e-9), 0);
  EXPECT_EQ(schedule.SigmaToTimestep(0), 0);
  EXPECT_DOUBLE_EQ(schedule.TimestepToSigma(-1), schedule.sigma_min());
  EXPECT_DOUBLE_EQ(schedule.TimestepToSigma(5000), schedule.sigma_max());
}

class SigmaScheduleTest
    : public ::testing::TestWithParam<std::vector<double> (*)(const NoiseSchedule&, int)> {};

TEST_P(SigmaScheduleTest, FallsFromSigmaMaxToZeroThroughSigmaMin) {
  const NoiseSchedule schedule{SchedulerConfig{}};
  for (int steps : {1, 2, 5, 100, 1000}) {
    const std::vector<double> sigmas = GetParam()(schedule, steps);
    ASSERT_EQ(sigmas.size(), static_cast<size_t>(steps) + 1);
    EXPECT_NEAR(sigmas.front(), schedule.sigma_max(), 1e-9);
    EXPECT_NEAR(sigmas[steps - 1], steps > 1 ? schedule.sigma_min() : schedule.sigma_max(), 1e-9);
    EXPECT_EQ(sigmas.back(), 0);
    for (int i = 0; i < steps; ++i) EXPECT_GT(sigmas[i], sigmas[i + 1]) << "step " << i << " of " << steps;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SigmaScheduleTest,
                         ::testing::Values([](const NoiseSchedule& s, int n) { return s.DefaultSigmas(n); },
                                           [](const NoiseSchedule& s, int n) { return s.KarrasSigmas(n); },
                                           [](const NoiseSchedule& s, int n) {
                                             return s.ExponentialSigmas(n);
                                           }));

TEST(NoiseScheduleTest, MiddleSigmasAreEachSchedulesMean) {
  const NoiseSchedule schedule{SchedulerConfig{}};
  const double low = schedule.sigma_min(), high = schedule.sigma_max();
  EXPECT_NEAR(schedule.DefaultSigmas(3)[1], schedule.TimestepToSigma(499.5), 1e-12);
  EXPECT_NEAR(schedule.KarrasSigmas(3)[1],
              std::pow((std::pow(low, 1 / 7.0) + std::pow(high, 1 / 7.0)) / 2, 7), 1e-12);
  EXPECT_NEAR(schedule.ExponentialSigmas(3)[1], std::sqrt(low * high), 1e-12);
}

TEST(NoiseScheduleTest, AConfigThatIsNoScheduleIsRefusedWithEveryFault) {
  EXPECT_TRUE(ValidateNoiseSchedule(SchedulerConfig{}).ok());
  const SchedulerConfig bad{.num_train_timesteps = 0, .beta_start = 0, .beta_end = std::nan("")};
  const absl::Status status = ValidateNoiseSchedule(bad);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "noise schedule: num_train_timesteps is 0; wants 2..100000; beta_start is 0; wants a number "
            "between 0 and 1; "
            "beta_end is nan; wants a number between 0 and 1");
  EXPECT_FALSE(ValidateNoiseSchedule(SchedulerConfig{.num_train_timesteps = 2000000000}).ok());
  EXPECT_FALSE(
      ValidateNoiseSchedule(SchedulerConfig{.beta_end = 1}).ok());  // zero terminal SNR: sigma is infinite
  EXPECT_EQ(NoiseSchedule(bad).config().num_train_timesteps, 0);    // and making one does no harm
}

}  // namespace
}  // namespace ip2p
