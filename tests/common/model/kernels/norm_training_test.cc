// Gradients of group normalisation, alone and with SiLU, against float64's.
#include "common/model/kernels/norm_training.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <tuple>
#include <vector>

#include "common/model/kernels/norm.h"

namespace ip2p {
namespace {

struct Shape {
  int64_t samples, channels, height, width, groups;
  double mean = 0.5;
};

struct Pass {
  torch::Tensor out;
  std::vector<torch::Tensor> of;  // x, weight, bias
};

// Inputs are bf16 numbers in any type.
Pass RunPass(const Shape& s, bool silu, torch::ScalarType type, torch::ScalarType weight_type) {
  torch::manual_seed(12);
  const auto make = [](std::vector<int64_t> shape, double mean) {
    return (torch::randn(shape) + mean).to(torch::kBFloat16);
  };
  torch::Tensor x = make({s.samples, s.channels, s.height, s.width}, s.mean)
                        .to(type)
                        .contiguous(torch::MemoryFormat::ChannelsLast);
  torch::Tensor weight = make({s.channels}, 1).to(weight_type), bias = make({s.channels}, 0).to(weight_type);
  std::vector<torch::Tensor> all = {x, weight, bias};
  for (torch::Tensor& tensor : all) tensor.set_requires_grad(true);
  Pass pass{.out = kernels::GroupNorm(x, s.groups, weight, bias, 1e-5, silu)};
  pass.out.backward(make(pass.out.sizes().vec(), 0).to(type));
  for (const torch::Tensor& tensor : all) pass.of.push_back(tensor.grad());
  return pass;
}

double RelativeError(const torch::Tensor& x, const torch::Tensor& exact) {
  return ((x.to(torch::kFloat64) - exact).norm() / exact.norm()).item<double>();
}

// Elsewhere torch computes them.
bool AreOurs() {
  const torch::Tensor x = torch::ones({1, 1, 1, 1}), w = torch::ones({1});
  return kernels::TrainsGroupNorm(x, 1, w, w);
}

class GroupNormGradientTest : public testing::TestWithParam<std::tuple<Shape, bool>> {
 protected:
  void SetUp() override {
    if (!AreOurs()) GTEST_SKIP() << "no AVX-512";
  }
};

TEST_P(GroupNormGradientTest, EqualsFloat64) {
  const auto [shape, silu] = GetParam();
  const Pass exact = RunPass(shape, silu, torch::kFloat64, torch::kFloat64);
  constexpr double kFloat32 = 1e-5, kBfloat16 = 5e-3;  // half of bf16's last place is 2e-3 on average
  for (const auto& [type, tolerance] :
       {std::pair(torch::kFloat32, kFloat32), {torch::kBFloat16, kBfloat16}}) {
    const Pass ours = RunPass(shape, silu, type, torch::kFloat32);
    EXPECT_EQ(ours.out.scalar_type(), type);
    EXPECT_LT(RelativeError(ours.out, exact.out), tolerance);
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(RelativeError(ours.of[i], exact.of[i]), tolerance) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupNormGradientTest,
                         testing::Combine(testing::Values(Shape{2, 64, 16, 16, 32}, Shape{1, 1280, 8, 8, 32},
                                                          Shape{2, 96, 17, 5, 32}, Shape{1, 128, 60, 40, 32},
                                                          Shape{2, 32, 7, 9, 8}, Shape{1, 24, 3, 3, 4},
                                                          Shape{3, 10, 1, 2, 5}, Shape{1, 1, 4, 4, 1},
                                                          Shape{1, 64, 32, 32, 32, 20}),
                                          testing::Bool()));

TEST(GroupNormGradient, DoesNotDependOnThreads) {
  if (!AreOurs()) GTEST_SKIP() << "no AVX-512";
  const int before = torch::get_num_threads();
  std::vector<Pass> passes;
  for (const int threads : {1, 3}) {
    torch::set_num_threads(threads);
    passes.push_back(RunPass({2, 64, 40, 40, 32}, true, torch::kFloat32, torch::kFloat32));
  }
  torch::set_num_threads(before);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(torch::equal(passes[0].of[i], passes[1].of[i])) << i;
}

}  // namespace
}  // namespace ip2p
