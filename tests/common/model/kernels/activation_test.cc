// The gated unit against float64.
#include "common/model/kernels/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace ip2p {
namespace {

torch::Tensor Exact(const torch::Tensor& x) {
  const auto halves = x.to(torch::kFloat64).chunk(2, -1);
  return halves[0] * torch::gelu(halves[1]);
}

TEST(Geglu, EqualsFloat64) {
  constexpr double kFloat32 = 5e-7;  // of the largest value; measured 2e-7
  const torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  for (const auto& shape : {std::vector<int64_t>{3, 77, 2560}, {5, 34}, {2, 1, 2}, {16, 10240}}) {
    const torch::Tensor x = torch::randn(shape) * 3;
    const torch::Tensor exact = Exact(x), y = Geglu(x);
    ASSERT_EQ(y.sizes(), exact.sizes());
    EXPECT_LE(((y - exact).abs().max() / exact.abs().max()).item<double>(), kFloat32);

    // One rounding to bf16: half of the last place of each value, and the float32 error beside it.
    constexpr double kHalfPlace = 1.0 / 256;
    const torch::Tensor x16 = x.to(torch::kBFloat16), exact16 = Exact(x16);
    const torch::Tensor over = (Geglu(x16) - exact16).abs() - kHalfPlace * exact16.abs();
    EXPECT_LE((over.max() / exact16.abs().max()).item<double>(), kFloat32);
  }
}

TEST(Geglu, TailsAndWhatIsNotFinite) {
  const torch::NoGradGuard no_grad;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const torch::Tensor gates =
      torch::tensor({-100.0f, -10.0f, -0.0f, 0.0f, 10.0f, 100.0f, kInfinity, std::nanf("")});
  const torch::Tensor y = Geglu(torch::cat({torch::ones(8), gates}));
  EXPECT_TRUE(
      torch::allclose(y.narrow(0, 0, 6), torch::gelu(gates.narrow(0, 0, 6)), /*rtol=*/1e-6, /*atol=*/1e-6));
  EXPECT_FALSE(y[6].isfinite().item<bool>());  // infinity here, NaN in torch
  EXPECT_TRUE(y[7].isnan().item<bool>());
}

TEST(Geglu, GradientsFlow) {
  const torch::Tensor x = torch::randn({4, 6}).requires_grad_();
  Geglu(x).sum().backward();
  EXPECT_GT(x.grad().abs().min().item<float>(), 0);
}

TEST(Geglu, RefusesAnOddWidth) { EXPECT_THROW(Geglu(torch::zeros({2, 3})), c10::Error); }

}  // namespace
}  // namespace ip2p
