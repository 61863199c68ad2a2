// The state machine: what it asks, counts, refuses and repeats, for every sampler and schedule.
#include "common/diffusion/sampler.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/common/diffusion/sampler_driver.h"

namespace ip2p {
namespace {

using torch::Tensor;

constexpr SigmaSchedule kSchedules[] = {SigmaSchedule::kDefault, SigmaSchedule::kKarras,
                                        SigmaSchedule::kExponential};

class SamplerTest : public ::testing::TestWithParam<SamplerKind> {
 protected:
  const AnalyticDenoiser denoiser_ = NormalDenoiser(torch::linspace(-1, 1, 256).reshape({1, 4, 8, 8}), 0.5);
};

INSTANTIATE_TEST_SUITE_P(All, SamplerTest, ::testing::ValuesIn(AllSamplers()), CaseName);

TEST_P(SamplerTest, CountsItsStepsAndEvaluations) {
  for (SigmaSchedule schedule : kSchedules) {
    for (int steps : {1, 2, 3, 5, 20, 1000}) {
      const auto sampler = MakeSampler({GetParam(), schedule, steps}, SeededNoise(1));
      EXPECT_EQ(sampler->step(), 0);
      int evaluations = 0;
      for (; !sampler->done(); ++evaluations) {
        const int before = sampler->step();
        EXPECT_GT(sampler->sigma(), 0);
        EXPECT_LT(before, steps);
        sampler->Feed(denoiser_(sampler->x(), sampler->sigma()));
        EXPECT_TRUE(sampler->step() == before || sampler->step() == before + 1);
      }
      EXPECT_EQ(sampler->step(), steps);
      EXPECT_EQ(evaluations, EvaluationsFor(GetParam(), steps));
      EXPECT_EQ(sampler->latents().sizes(), (std::vector<int64_t>{1, 4, 8, 8}));
      EXPECT_TRUE(torch::isfinite(sampler->latents()).all().item<bool>())
          << ScheduleName(schedule) << " " << steps;
    }
  }
}

TEST_P(SamplerTest, TheSameSeedGivesTheSameLatentsAndAnotherSeedOthers) {
  Tensor latents[3];
  for (int i = 0; i < 3; ++i) {
    const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kDefault, 10}, SeededNoise(i < 2 ? 5 : 6));
    Drive(*sampler, denoiser_);
    latents[i] = sampler->latents();
  }
  EXPECT_TRUE(torch::equal(latents[0], latents[1]));
  EXPECT_FALSE(torch::equal(latents[0], latents[2]));
}

TEST_P(SamplerTest, DrawsStartNoiseThenOneDrawAStochasticStep) {
  int draws = 0;
  const NoiseDraw noise = SeededNoise(3);
  const auto sampler =
      MakeSampler({GetParam(), SigmaSchedule::kDefault, 10}, [&] { return ++draws, noise(); });
  EXPECT_EQ(draws, 1);
  Drive(*sampler, denoiser_);
  const bool stochastic = GetParam() == SamplerKind::kEulerA || GetParam() == SamplerKind::kDpm2A ||
                          GetParam() == SamplerKind::kDpmpp2SA || GetParam() == SamplerKind::kDpmpp2MSde;
  EXPECT_EQ(draws, stochastic ? 10 : 1);  // the last step ends at sigma 0, without noise
}

TEST_P(SamplerTest, CertaintyIsReached) {
  const Tensor image = torch::linspace(-3, 3, 256).reshape({1, 4, 8, 8});
  for (SigmaSchedule schedule : kSchedules) {
    for (int steps : {1, 2, 5, 20}) {
      if (GetParam() == SamplerKind::kDdim && schedule == SigmaSchedule::kDefault) continue;  // the next test
      const auto sampler = MakeSampler({GetParam(), schedule, steps}, SeededNoise(1));
      Drive(*sampler, [&](const Tensor&, double) { return image; });
      // The last step lands on the estimate; lms extrapolates there and cancels in float32.
      EXPECT_TRUE(torch::allclose(sampler->latents(), image, 1e-5, 2e-4))
          << ScheduleName(schedule) << " " << steps;
    }
  }
}

TEST(DdimTest, EndsAtTheFirstTimestepInTheVariancePreservingScale) {
  const Tensor image = torch::linspace(-3, 3, 256).reshape({1, 4, 8, 8});
  const auto sampler = MakeSampler({SamplerKind::kDdim, SigmaSchedule::kDefault, 20}, SeededNoise(1));
  const Tensor noise = SeededNoise(1)();
  Drive(*sampler, [&](const Tensor&, double) { return image; });
  // The denoiser's error direction never changes, so what is left is sqrt(abar) image + sqrt(1 - abar) of the
  // start's deviation: epsilon = (x - image) / sigma at the first sigma.
  const NoiseSchedule schedule{SchedulerConfig{}};
  const double abar = schedule.alphas_cumprod()[0], first = schedule.TimestepToSigma(951);
  const Tensor epsilon = (noise * std::hypot(1, first) - image) / first;
  EXPECT_TRUE(torch::allclose(sampler->latents(), image * std::sqrt(abar) + epsilon * std::sqrt(1 - abar),
                              1e-5, 1e-5));
}

TEST_P(SamplerTest, GivenUpHalfwayFreesWhatItHolds) {
  for (int fed = 0; fed < 4; ++fed) {
    const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kDefault, 10}, SeededNoise(1));
    for (int i = 0; i < fed; ++i) sampler->Feed(denoiser_(sampler->x(), sampler->sigma()));
    EXPECT_FALSE(sampler->done());
  }
}

TEST_P(SamplerTest, AWrongAnswerIsRefusedAndNothingMoves) {
  const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kDefault, 3}, SeededNoise(1));
  const Tensor x = sampler->x();
  EXPECT_THROW(sampler->Feed(torch::zeros({1, 4, 8, 9})), c10::Error);
  EXPECT_THROW(sampler->Feed(torch::zeros({1, 4, 8, 8}, torch::kBFloat16)), c10::Error);
  EXPECT_EQ(sampler->step(), 0);
  EXPECT_TRUE(sampler->x().is_same(x));
  EXPECT_EQ(Drive(*sampler, denoiser_), EvaluationsFor(GetParam(), 3));
  EXPECT_THROW(sampler->Feed(torch::zeros({1, 4, 8, 8})), c10::Error);  // it is done
}

TEST_P(SamplerTest, AnExceptionFromInsideLeavesThroughFeed) {
  EXPECT_THROW(
      MakeSampler({GetParam(), SigmaSchedule::kDefault, 3}, []() -> Tensor { throw std::bad_alloc(); }),
      std::bad_alloc);
  int draws = 0;
  const NoiseDraw noise = SeededNoise(1);
  const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kDefault, 3}, [&] {
    if (++draws > 1) throw std::runtime_error("no more noise");
    return noise();
  });
  try {
    Drive(*sampler, denoiser_);
    EXPECT_EQ(draws, 1);  // a sampler that draws no noise came through
    EXPECT_TRUE(sampler->latents().defined());
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "no more noise");
    EXPECT_TRUE(sampler->done());
    EXPECT_FALSE(sampler->latents().defined());
  }
}

TEST_P(SamplerTest, NoGraphIsKept) {
  const auto sampler = MakeSampler({GetParam(), SigmaSchedule::kDefault, 3}, SeededNoise(1));
  const Tensor weight = torch::ones({1}).requires_grad_(true);
  Drive(*sampler, [&](const Tensor& x, double sigma) { return denoiser_(x, sigma) * weight; });
  EXPECT_EQ(sampler->latents().grad_fn(), nullptr);
}

TEST(SamplersTest, TenInterleavedRunsEqualTheSoloOnesBitForBit) {
  const AnalyticDenoiser denoiser = NormalDenoiser(torch::full({1, 4, 8, 8}, 0.3), 0.5);
  std::vector<std::unique_ptr<Sampler>> together;
  std::vector<Tensor> solo;
  for (SamplerKind kind : AllSamplers()) {
    const auto index = static_cast<uint64_t>(kind);
    const SamplerConfig config{kind, kSchedules[index % 3], static_cast<int>(5 + index)};
    const auto alone = MakeSampler(config, SeededNoise(index));
    Drive(*alone, denoiser);
    solo.push_back(alone->latents());
    together.push_back(MakeSampler(config, SeededNoise(index)));
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& sampler : together) {
      if (sampler->done()) continue;
      sampler->Feed(denoiser(sampler->x(), sampler->sigma()));
      moved = true;
    }
  }
  for (size_t i = 0; i < solo.size(); ++i) EXPECT_TRUE(torch::equal(together[i]->latents(), solo[i])) << i;
}

TEST(SamplersTest, BadConfigsAreRefusedBeforeAnyNoiseIsDrawn) {
  const NoiseDraw never = []() -> Tensor { throw std::runtime_error("drawn"); };
  const NoiseSchedule schedule{SchedulerConfig{}};
  for (int steps : {0, -1, 1001}) {
    const auto sampler = Sampler::Create({.steps = steps}, schedule, never);
    EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(sampler.status().message(), "steps is " + std::to_string(steps) + "; wants 1..1000");
  }
  const NoiseSchedule none{SchedulerConfig{.num_train_timesteps = 1}};
  EXPECT_EQ(Sampler::Create({}, none, never).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ip2p
