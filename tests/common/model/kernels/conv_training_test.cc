// Convolutions that learn in bf16 against float64's: few rows and many, strides, borders.
#include "common/model/kernels/conv_training.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include <vector>

namespace ip2p {
namespace {

struct Shape {
  int64_t samples, in, out, height, width, kernel, stride;
};

struct Pass {
  torch::Tensor out;
  std::vector<torch::Tensor> of;  // input, weight, bias
};

Pass RunPass(const Shape& s, torch::ScalarType dtype) {
  torch::manual_seed(9);
  const auto make = [&](std::vector<int64_t> shape) {
    return torch::randn(shape).to(torch::kBFloat16).to(dtype);
  };
  torch::Tensor x = make({s.samples, s.in, s.height, s.width}).contiguous(torch::MemoryFormat::ChannelsLast);
  torch::Tensor weight =
      make({s.out, s.in, s.kernel, s.kernel}).contiguous(torch::MemoryFormat::ChannelsLast);
  torch::Tensor bias = make({s.out});
  std::vector<torch::Tensor> all = {x, weight, bias};
  for (torch::Tensor& tensor : all) tensor.set_requires_grad(true);
  Pass pass{.out = kernels::TrainedConv2d(x, weight, bias, s.stride, s.kernel / 2)};
  pass.out.backward(make(pass.out.sizes().vec()));
  for (const torch::Tensor& tensor : all) pass.of.push_back(tensor.grad());
  return pass;
}

double RelativeError(const torch::Tensor& x, const torch::Tensor& exact) {
  return ((x.to(torch::kFloat64) - exact).norm() / exact.norm()).item<double>();
}

class TrainedConvTest : public testing::TestWithParam<Shape> {};

TEST_P(TrainedConvTest, EqualsFloat64) {
  constexpr double kTolerance = 5e-3;  // half of bf16's last place is 2e-3 on average
  const Shape s = GetParam();
  const Pass exact = RunPass(s, torch::kFloat64), ours = RunPass(s, torch::kBFloat16);
  EXPECT_EQ(ours.out.scalar_type(), torch::kBFloat16);
  EXPECT_LT(RelativeError(ours.out, exact.out), kTolerance);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ours.of[i].sizes(), exact.of[i].sizes());
    EXPECT_LT(RelativeError(ours.of[i], exact.of[i]), kTolerance) << "gradient " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TrainedConvTest,
                         testing::Values(Shape{2, 32, 48, 4, 4, 3, 1}, Shape{2, 8, 16, 24, 20, 3, 1},
                                         Shape{1, 16, 16, 7, 5, 3, 2}, Shape{1, 16, 8, 40, 33, 3, 2},
                                         Shape{2, 32, 16, 6, 6, 1, 1}, Shape{1, 16, 4, 30, 30, 1, 1},
                                         Shape{3, 64, 32, 1, 1, 3, 1}, Shape{1, 4, 8, 2, 1, 3, 1}));

// float32 tensors under autocast give what bf16 ones give, and float32 gradients of the weight.
TEST(TrainedConv, UnderAutocast) {
  torch::manual_seed(10);
  const torch::Tensor x = torch::randn({1, 8, 4, 4}), bias = torch::randn({8});
  const torch::Tensor weight = torch::randn({8, 8, 3, 3}).set_requires_grad(true);
  at::autocast::set_autocast_dtype(at::kCPU, torch::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const torch::Tensor out = kernels::TrainedConv2d(x, weight, bias, 1, 1);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(out.scalar_type(), torch::kBFloat16);
  out.sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), torch::kFloat32);
  const torch::Tensor exact = torch::conv2d(x, weight, bias, 1, 1);
  EXPECT_LT(RelativeError(out, exact.to(torch::kFloat64)), 1e-2);
}

}  // namespace
}  // namespace ip2p
