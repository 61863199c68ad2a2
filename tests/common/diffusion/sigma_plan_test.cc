#include "common/diffusion/sigma_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ip2p {
namespace {

using ::testing::HasSubstr;

const NoiseSchedule& Schedule() {
  static const NoiseSchedule& schedule = *new NoiseSchedule(SchedulerConfig{});
  return schedule;
}

SigmaPlan Plan(SamplerKind kind, int steps, SigmaSchedule schedule = SigmaSchedule::kDefault) {
  return PlanSigmas(kind, schedule, steps, Schedule()).value();
}

std::vector<double> Timesteps(const SigmaPlan& plan) {
  std::vector<double> timesteps;
  for (double sigma : plan.sigmas)
    timesteps.push_back(std::round(Schedule().SigmaToTimestep(sigma) * 1e6) / 1e6);
  return timesteps;
}

TEST(SigmaPlanTest, KDiffusionSamplersStartAtSigmaMaxTimesNoise) {
  const SigmaPlan plan = Plan(SamplerKind::kEulerA, 4);
  EXPECT_EQ(plan.sigmas, Schedule().DefaultSigmas(4));
  EXPECT_EQ(plan.start_scale, plan.sigmas.front());
  EXPECT_EQ(plan.result_scale, 1);
}

TEST(SigmaPlanTest, DdimVisitsTheLeadingTimesteps) {
  const SigmaPlan plan = Plan(SamplerKind::kDdim, 5);
  EXPECT_EQ(Timesteps(plan),
            (std::vector<double>{801, 601, 401, 201, 1, 0}));  // DDIMScheduler.set_timesteps(5)
  EXPECT_NEAR(plan.start_scale, std::hypot(1, plan.sigmas[0]), 1e-12);
  EXPECT_NEAR(plan.result_scale, std::sqrt(1 - 0.00085),
              1e-12);  // ends at abar[0], in the variance-preserving scale
}

TEST(SigmaPlanTest, DdimEndsAtZeroWhenItsConfigSaysSo) {
  const NoiseSchedule schedule{SchedulerConfig{.set_alpha_to_one = true}};
  const SigmaPlan plan = PlanSigmas(SamplerKind::kDdim, SigmaSchedule::kDefault, 5, schedule).value();
  EXPECT_EQ(plan.sigmas.back(), 0);
  EXPECT_EQ(plan.result_scale, 1);
}

TEST(SigmaPlanTest, DdimTakesAsManyStepsAsThereAreTimestepsAndNoMore) {
  const SigmaPlan plan = Plan(SamplerKind::kDdim, 1000);
  EXPECT_EQ(plan.sigmas.size(), 1001u);
  EXPECT_EQ(plan.sigmas.front(), Schedule().sigma_max());
  const NoiseSchedule short_schedule{SchedulerConfig{.num_train_timesteps = 50}};
  const absl::Status status =
      PlanSigmas(SamplerKind::kDdim, SigmaSchedule::kDefault, 51, short_schedule).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "steps is 51; wants 1..50");
  EXPECT_TRUE(PlanSigmas(SamplerKind::kEulerA, SigmaSchedule::kDefault, 51, short_schedule).ok());
}

TEST(SigmaPlanTest, UniPcVisitsTheRoundedLinspaceTimesteps) {
  const SigmaPlan plan = Plan(SamplerKind::kUniPc, 6);
  // UniPCMultistepScheduler.set_timesteps(6): 832.5 and 499.5 and 166.5 are rounded to even.
  EXPECT_EQ(Timesteps(plan), (std::vector<double>{999, 832, 666, 500, 333, 166, 0}));
  EXPECT_EQ(plan.sigmas.back(), 0);
  EXPECT_EQ(plan.result_scale, 1);
}

TEST(SigmaPlanTest, UniPcNeverRepeatsASigma) {
  for (int steps : {998, 999, 1000}) {
    const SigmaPlan plan = Plan(SamplerKind::kUniPc, steps);
    for (int i = 0; i < steps; ++i) ASSERT_GT(plan.sigmas[i], plan.sigmas[i + 1]) << i << " of " << steps;
  }
}

TEST(SigmaPlanTest, KarrasAndExponentialAreTheSameForAllSamplers) {
  for (SamplerKind kind : AllSamplers()) {
    EXPECT_EQ(Plan(kind, 7, SigmaSchedule::kKarras).sigmas, Schedule().KarrasSigmas(7));
    EXPECT_EQ(Plan(kind, 7, SigmaSchedule::kExponential).sigmas, Schedule().ExponentialSigmas(7));
  }
}

TEST(SigmaPlanTest, StepsOutsideTheRangeAreRefused) {
  for (int steps : {0, -1, 1001, 1000000000}) {
    for (SamplerKind kind : AllSamplers()) {
      const absl::Status status = PlanSigmas(kind, SigmaSchedule::kDefault, steps, Schedule()).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr("wants 1..1000"));
    }
  }
}

TEST(SigmaPlanTest, AModelWithoutAScheduleIsRefused) {
  const NoiseSchedule none{SchedulerConfig{.num_train_timesteps = 0}};
  EXPECT_EQ(PlanSigmas(SamplerKind::kEulerA, SigmaSchedule::kDefault, 10, none).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ip2p
