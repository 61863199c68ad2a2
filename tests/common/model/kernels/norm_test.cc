// Group normalisation against float64, and the rules that the fast path keeps.
#include "common/model/kernels/norm.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>
#include <tuple>

namespace ip2p {
namespace {

struct Shape {
  int64_t samples, channels, height, width, groups;
};

class GroupNormTest : public testing::TestWithParam<std::tuple<Shape, bool>> {};

// Largest error over largest value, both in float64.
double RelativeError(const torch::Tensor& x, const torch::Tensor& exact) {
  return ((x.to(torch::kFloat64) - exact).abs().max() / exact.abs().max()).item<double>();
}

struct Case {
  torch::Tensor x, weight, bias;
};

Case MakeCase(const Shape& s, double mean) {
  torch::manual_seed(11);
  return {(torch::randn({s.samples, s.channels, s.height, s.width}) + mean)
              .contiguous(torch::MemoryFormat::ChannelsLast),
          torch::randn({s.channels}), torch::randn({s.channels})};
}

torch::Tensor Exact(const Case& c, int64_t groups, bool silu) {
  const torch::Tensor y = torch::group_norm(c.x.to(torch::kFloat64), groups, c.weight.to(torch::kFloat64),
                                            c.bias.to(torch::kFloat64), 1e-5);
  return silu ? torch::silu(y) : y;
}

TEST_P(GroupNormTest, EqualsFloat64) {
  constexpr double kFloat32 = 1e-6;   // measured 4e-7
  constexpr double kBfloat16 = 4e-3;  // half of its last place is 3.9e-3 of the largest value
  const torch::NoGradGuard no_grad;
  const auto [shape, silu] = GetParam();
  Case c = MakeCase(shape, /*mean=*/0.5);
  const torch::Tensor y = kernels::GroupNorm(c.x, shape.groups, c.weight, c.bias, 1e-5, silu);
  EXPECT_EQ(y.sizes(), c.x.sizes());
  EXPECT_LE(RelativeError(y, Exact(c, shape.groups, silu)), kFloat32);

  const torch::Tensor plain =
      kernels::GroupNorm(c.x.contiguous(), shape.groups, c.weight, c.bias, 1e-5, silu);
  EXPECT_LE(RelativeError(plain, Exact(c, shape.groups, silu)), kFloat32);

  c.x = c.x.to(torch::kBFloat16);
  c.weight = c.weight.to(torch::kBFloat16);
  c.bias = c.bias.to(torch::kBFloat16);
  const torch::Tensor y16 = kernels::GroupNorm(c.x, shape.groups, c.weight, c.bias, 1e-5, silu);
  EXPECT_EQ(y16.scalar_type(), torch::kBFloat16);
  EXPECT_LE(RelativeError(y16, Exact(c, shape.groups, silu)), kBfloat16);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupNormTest,
                         testing::Combine(testing::Values(Shape{3, 320, 64, 64, 32}, Shape{1, 1280, 8, 8, 32},
                                                          Shape{2, 960, 17, 5, 32},
                                                          Shape{1, 128, 130, 70, 32}, Shape{2, 32, 7, 9, 8},
                                                          Shape{1, 24, 3, 3, 4}, Shape{2, 10, 1, 1, 5},
                                                          Shape{1, 1, 4, 4, 1}),
                                          testing::Bool()));

TEST(GroupNorm, KeepsTheVarianceWhereTheMeanIsLarge) {
  // x * scale + shift cancels 300 against 300: 300 * 2^-24 of the unit of the result, 2e-5. A sum of squares
  // about 0 would lose three digits of the variance instead.
  constexpr double kTolerance = 6e-5;
  const torch::NoGradGuard no_grad;
  const Case c = MakeCase({1, 64, 64, 64, 32}, /*mean=*/300);
  EXPECT_LE(RelativeError(kernels::GroupNorm(c.x, 32, c.weight, c.bias, 1e-5, false), Exact(c, 32, false)),
            kTolerance);
}

TEST(GroupNorm, SampleDoesNotDependOnItsBatchNorOnThreads) {
  const torch::NoGradGuard no_grad;
  const Case c = MakeCase({3, 64, 70, 70, 32}, 0.5);
  const torch::Tensor batch = kernels::GroupNorm(c.x, 32, c.weight, c.bias, 1e-5, true);
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  for (int64_t i = 0; i < 3; ++i) {
    const torch::Tensor alone = kernels::GroupNorm(c.x.narrow(0, i, 1), 32, c.weight, c.bias, 1e-5, true);
    EXPECT_TRUE(torch::equal(batch.narrow(0, i, 1), alone)) << "sample " << i;
  }
  torch::set_num_threads(threads);
}

TEST(GroupNorm, NanStaysNanAndStaysInItsGroup) {
  const torch::NoGradGuard no_grad;
  Case c = MakeCase({1, 64, 8, 8, 32}, 0.5);
  c.x[0][5][3][3] = std::numeric_limits<float>::quiet_NaN();
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor y = kernels::GroupNorm(c.x.to(type), 32, c.weight, c.bias, 1e-5, true).isnan();
    EXPECT_TRUE(y.narrow(1, 4, 2).all().item<bool>());
    EXPECT_EQ(y.sum().item<int64_t>(), 2 * 64);
  }
}

TEST(GroupNorm, GradientsFlow) {
  const torch::Tensor x = torch::randn({1, 8, 3, 3}).requires_grad_();
  const torch::Tensor weight = torch::ones({8}).requires_grad_(), bias = torch::zeros({8}).requires_grad_();
  kernels::GroupNorm(x, 4, weight, bias, 1e-5, true).square().sum().backward();
  for (const torch::Tensor& leaf : {x, weight, bias}) EXPECT_GT(leaf.grad().abs().max().item<float>(), 0);
}

TEST(GroupNormTest, WritesOverOnlyWhatNobodyElseHolds) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor weight = torch::ones({32}), bias = torch::zeros({32});
  const torch::Tensor kept = torch::randn({1, 32, 4, 4}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor before = kept.clone();
  const torch::Tensor wanted = kernels::GroupNorm(kept, 4, weight, bias, 1e-5, true);
  EXPECT_TRUE(kept.equal(before));
  torch::Tensor view = kept.narrow(0, 0, 1);
  EXPECT_TRUE(kernels::GroupNorm(std::move(view), 4, weight, bias, 1e-5, true).equal(wanted));
  EXPECT_TRUE(kept.equal(before)) << "a view's memory is its base's too";
  torch::Tensor own = kept.clone();
  EXPECT_TRUE(kernels::GroupNorm(std::move(own), 4, weight, bias, 1e-5, true).equal(wanted));
}

}  // namespace
}  // namespace ip2p
