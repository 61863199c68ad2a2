// Samplers against the closed form of their equation, for data that is normal around a mean.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/common/diffusion/sampler_driver.h"

namespace ip2p {
namespace {

using torch::Tensor;

constexpr double kMean = 0.3, kDeviation = 0.5;

// Probability flow: x - mean shrinks as sqrt(deviation^2 + sigma^2).
Tensor FlowEnd(const Tensor& start, double from, double to) {
  return (start - kMean) *
             std::sqrt((kDeviation * kDeviation + to * to) / (kDeviation * kDeviation + from * from)) +
         kMean;
}

double ErrorAfter(SamplerKind kind, int steps, SigmaSchedule schedule) {
  const auto sampler = MakeSampler({kind, schedule, steps}, SeededNoise(4));
  const Tensor start = sampler->x();
  const double from = sampler->sigma();
  Drive(*sampler, NormalDenoiser(torch::full({1, 4, 8, 8}, kMean), kDeviation));
  return (sampler->latents() - FlowEnd(start, from, 0)).abs().max().item<double>();
}

class FlowSamplerTest : public ::testing::TestWithParam<SamplerKind> {};
INSTANTIATE_TEST_SUITE_P(All, FlowSamplerTest,
                         ::testing::Values(SamplerKind::kEuler, SamplerKind::kHeun, SamplerKind::kDpmpp2M,
                                           SamplerKind::kDdim, SamplerKind::kLms, SamplerKind::kUniPc),
                         CaseName);

TEST_P(FlowSamplerTest, MoreStepsComeCloserToTheClosedForm) {
  for (SigmaSchedule schedule : {SigmaSchedule::kKarras, SigmaSchedule::kExponential}) {
    const double coarse = ErrorAfter(GetParam(), 10, schedule), fine = ErrorAfter(GetParam(), 160, schedule);
    // First order: 16 times the steps, about 1/16 of the error. The last step, to sigma 0, leaves about
    // sigma_min^2 / (2 deviation^2) = 0.0017 of the deviation whatever the order.
    EXPECT_LT(fine, coarse / 8 + 0.005) << ScheduleName(schedule) << " " << coarse << " -> " << fine;
    EXPECT_LT(fine, 0.05);
  }
}

TEST(FlowSamplersTest, HigherOrdersBeatEulerAtTheSameSteps) {
  const double euler = ErrorAfter(SamplerKind::kEuler, 20, SigmaSchedule::kKarras);
  for (SamplerKind kind :
       {SamplerKind::kHeun, SamplerKind::kDpmpp2M, SamplerKind::kLms, SamplerKind::kUniPc}) {
    EXPECT_LT(ErrorAfter(kind, 20, SigmaSchedule::kKarras), euler / 3) << SamplerName(kind);
  }
}

class StochasticSamplerTest : public ::testing::TestWithParam<SamplerKind> {};
INSTANTIATE_TEST_SUITE_P(All, StochasticSamplerTest,
                         ::testing::Values(SamplerKind::kEulerA, SamplerKind::kDpm2A, SamplerKind::kDpmpp2SA,
                                           SamplerKind::kDpmpp2MSde),
                         CaseName);

TEST_P(StochasticSamplerTest, SamplesHaveTheDatasDistribution) {
  const std::vector<int64_t> shape = {1, 4, 64, 64};
  const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kKarras, 100}, SeededNoise(4, shape));
  Drive(*sampler, NormalDenoiser(torch::full({1, 4, 64, 64}, kMean), kDeviation));
  // 16,384 values: the mean's standard error is 0.004, the deviation's 0.003; the rest is the grid of 100
  // steps.
  EXPECT_NEAR(sampler->latents().mean().item<double>(), kMean, 0.02);
  EXPECT_NEAR(sampler->latents().std().item<double>(), kDeviation, 0.03);
}

}  // namespace
}  // namespace ip2p
