// The backward pass of attention in bf16 against float64's.
#include "common/model/kernels/attention_training.h"

#include <gtest/gtest.h>

#include <vector>

namespace ip2p {
namespace {

struct Shape {
  int64_t samples, heads, queries, keys, dim;
  double spread = 1.0;  // of queries and keys: 5 picks single keys
};

struct Gradients {
  torch::Tensor out;
  std::vector<torch::Tensor> of;
};

using Inputs = std::vector<torch::Tensor>;

Inputs MakeInputs(const Shape& s) {
  torch::manual_seed(8);
  const auto make = [&](int64_t length, double spread) {
    return (torch::randn({s.samples, length, s.heads * s.dim}) * spread).to(torch::kBFloat16);
  };
  return {make(s.queries, s.spread), make(s.keys, s.spread), make(s.keys, 1), make(s.queries, 1)};
}

Gradients RunPass(const Inputs& inputs, int64_t heads, torch::ScalarType dtype) {
  Inputs in;
  for (size_t i = 0; i < 3; ++i) in.push_back(inputs[i].to(dtype).detach().clone().set_requires_grad(true));
  Gradients result{.out = Attention(in[0], in[1], in[2], heads)};
  result.out.backward(inputs[3].to(dtype));
  for (const torch::Tensor& x : in) result.of.push_back(x.grad());
  return result;
}

// Of the exact value's size; of one key there is no gradient but rounding.
double RelativeError(const torch::Tensor& x, const torch::Tensor& exact) {
  return ((x.to(torch::kFloat64) - exact).norm() / exact.norm().clamp_min(1e-3)).item<double>();
}

class TrainedAttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(TrainedAttentionTest, EqualsFloat64) {
  const Shape s = GetParam();
  const Inputs inputs = MakeInputs(s);
  if (!kernels::TrainsAttention(inputs[0], inputs[1], inputs[2], s.heads)) GTEST_SKIP() << "no bf16 products";
  const Gradients exact = RunPass(inputs, s.heads, torch::kFloat64);
  const Gradients ours = RunPass(inputs, s.heads, torch::kBFloat16);
  // Shares and gradients of scores are rounded to 8 bits before the products.
  constexpr double kTolerance = 8e-3;
  EXPECT_LT(RelativeError(ours.out, exact.out), kTolerance);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ours.of[i].sizes(), inputs[i].sizes());
    EXPECT_LT(RelativeError(ours.of[i], exact.of[i]), kTolerance) << "input " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TrainedAttentionTest,
                         testing::Values(Shape{2, 3, 64, 64, 16}, Shape{1, 2, 300, 300, 40},
                                         Shape{2, 2, 130, 77, 48}, Shape{1, 1, 1, 1, 2},
                                         Shape{1, 2, 5, 3, 160}, Shape{1, 1, 70, 513, 64, 5.0},
                                         Shape{1, 2, 64, 7, 32, 30.0}));

// Strides of a part of a wider tensor, as of queries, keys and values made at once.
TEST(TrainedAttention, TakesStridedInputs) {
  const Inputs inputs = MakeInputs({2, 2, 40, 40, 16});
  if (!kernels::TrainsAttention(inputs[0], inputs[1], inputs[2], 2)) GTEST_SKIP() << "no bf16 products";
  const Gradients apart = RunPass(inputs, 2, torch::kBFloat16);
  const torch::Tensor wide =
      torch::cat({inputs[0], inputs[1], inputs[2]}, 2).detach().set_requires_grad(true);
  const auto parts = wide.chunk(3, 2);
  Attention(parts[0], parts[1], parts[2], 2).backward(inputs[3]);
  EXPECT_TRUE(torch::equal(wide.grad(), torch::cat(apart.of, 2)));
}

TEST(TrainedAttention, LeavesTheRestToTorch) {
  const torch::Tensor x = torch::randn({1, 4, 8});
  EXPECT_FALSE(kernels::TrainsAttention(x, x, x, 2)) << "float32";
  const torch::Tensor low = x.to(torch::kBFloat16);
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(kernels::TrainsAttention(low, low, low, 2)) << "no gradients";
}

}  // namespace
}  // namespace ip2p
