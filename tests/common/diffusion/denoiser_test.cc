#include "common/diffusion/denoiser.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ip2p {
namespace {

using torch::Tensor;

// A network that predicts perfectly must give x0 back, whatever it predicts.
class DenoiserTest : public ::testing::TestWithParam<double> {};

TEST_P(DenoiserTest, PerfectPredictionsGiveTheImageBack) {
  const double sigma = GetParam();
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(2);
  const auto options = torch::dtype(torch::kDouble);
  const Tensor x0 = torch::randn({2, 4, 8, 8}, generator, options);
  const Tensor noise = torch::randn({2, 4, 8, 8}, generator, options);
  const Tensor x = x0 + noise * sigma;
  // Salimans & Ho 2022: v = alpha * noise - sigma_vp * x0, with alpha^2 + sigma_vp^2 = 1.
  const double alpha = 1 / std::hypot(1, sigma);
  const Tensor v = noise * alpha - x0 * (sigma * alpha);
  EXPECT_TRUE(torch::allclose(Denoised(PredictionType::kEpsilon, x, sigma, noise), x0, 1e-9, 1e-9));
  EXPECT_TRUE(torch::allclose(Denoised(PredictionType::kVPrediction, x, sigma, v), x0, 1e-9, 1e-9));
  // The network sees the variance-preserving scale.
  EXPECT_TRUE(torch::allclose(NetworkInput(x, sigma), x0 * alpha + noise * (sigma * alpha), 1e-9, 1e-9));
}

INSTANTIATE_TEST_SUITE_P(Sigmas, DenoiserTest, ::testing::Values(0.0292, 0.5, 1.0, 14.6146));

TEST(DenoiserScalingsTest, AtSigmaZeroTheInputIsTheImage) {
  for (PredictionType prediction : {PredictionType::kEpsilon, PredictionType::kVPrediction}) {
    const DenoiserScalings c = ScalingsFor(prediction, 0);
    EXPECT_EQ(c.c_skip, 1);
    EXPECT_EQ(c.c_out, 0);
    EXPECT_EQ(c.c_in, 1);
  }
}

TEST(DenoiserScalingsTest, TheResultHasTheInputsType) {
  const Tensor x = torch::ones({1, 1, 1, 1});
  const Tensor output = torch::ones({1, 1, 1, 1}, torch::kBFloat16);
  EXPECT_EQ(Denoised(PredictionType::kEpsilon, x, 2.0, output).scalar_type(), torch::kFloat32);
  EXPECT_EQ(Denoised(PredictionType::kEpsilon, x, 2.0, output).item<float>(), -1);
}

}  // namespace
}  // namespace ip2p
