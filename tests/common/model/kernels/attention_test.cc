// Every implementation of attention against float32, over the shapes that the networks use and the odd ones.
#include "common/model/kernels/attention.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "common/model/kernels/attention_path.h"

namespace ip2p {
namespace {

using kernels::AttentionOn;
using kernels::AttentionPath;

// The implementations that this machine can run.
std::vector<AttentionPath> FlashPaths() {
  std::vector<AttentionPath> paths;
  for (const AttentionPath path : {AttentionPath::kFlashAvx512, AttentionPath::kFlashAmx}) {
    if (kernels::IsAvailable(path)) paths.push_back(path);
  }
  return paths;
}

struct Shape {
  int64_t samples, heads, queries, keys, dim;
  double spread = 1.0;  // standard deviation of q and k: 1 is diffuse attention, 5 picks single keys
};

struct Case {
  torch::Tensor q, k, v;
};

Case MakeCase(const Shape& s) {
  torch::manual_seed(7);
  auto make = [&](int64_t length, double spread) {
    return (torch::randn({s.samples, length, s.heads * s.dim}) * spread).to(torch::kBFloat16);
  };
  return {make(s.queries, s.spread), make(s.keys, s.spread), make(s.keys, 1.0)};
}

torch::Tensor InFloat(const Case& c, int64_t heads) {
  return AttentionOn(AttentionPath::kTorch, c.q.to(torch::kFloat32), c.k.to(torch::kFloat32),
                     c.v.to(torch::kFloat32), heads, /*causal=*/false);
}

double RmsError(const torch::Tensor& x, const torch::Tensor& exact) {
  return (x.to(torch::kFloat64) - exact.to(torch::kFloat64)).square().mean().sqrt().item<double>();
}

class FlashAttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(FlashAttentionTest, ErrsNoMoreThanTorchInBfloat16) {
  // Rounding of the weights and of the result is all the error there is, in torch and here; its sample
  // differs. Measured at most 1.02.
  constexpr double kOfTorch = 1.05;
  const torch::NoGradGuard no_grad;
  const Shape s = GetParam();
  const Case c = MakeCase(s);
  const torch::Tensor exact = InFloat(c, s.heads);
  const torch::Tensor theirs = AttentionOn(AttentionPath::kTorch, c.q, c.k, c.v, s.heads, /*causal=*/false);
  for (const AttentionPath path : FlashPaths()) {
    const torch::Tensor ours = AttentionOn(path, c.q, c.k, c.v, s.heads, /*causal=*/false);
    ASSERT_EQ(ours.sizes(), c.q.sizes());
    EXPECT_TRUE(ours.is_contiguous());
    EXPECT_LE(RmsError(ours, exact), kOfTorch * RmsError(theirs, exact)) << "path " << static_cast<int>(path);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, FlashAttentionTest,
    testing::Values(Shape{3, 8, 1024, 1024, 40}, Shape{3, 8, 256, 256, 80}, Shape{3, 8, 64, 64, 160},
                    Shape{2, 5, 300, 300, 64}, Shape{1, 1, 512, 512, 512}, Shape{3, 8, 1024, 77, 40},
                    Shape{2, 3, 257, 77, 80}, Shape{1, 2, 1, 1, 40}, Shape{1, 9, 77, 257, 8},
                    Shape{2, 9, 33, 31, 24}, Shape{1, 4, 100, 129, 48}, Shape{2, 4, 40, 300, 40, 5.0},
                    Shape{2, 4, 257, 257, 80, 30.0}, Shape{1, 8, 64, 128, 7}, Shape{1, 8, 65, 1, 32}));

TEST(Attention, TakesViewsOfOneProjection) {
  const torch::NoGradGuard no_grad;
  constexpr int64_t kHeads = 4, kWidth = 160;
  torch::manual_seed(3);
  const torch::Tensor all = torch::randn({2, 70, 3 * kWidth}).to(torch::kBFloat16);
  const auto parts = all.chunk(3, 2);
  for (const AttentionPath path : FlashPaths()) {
    const torch::Tensor from_views =
        AttentionOn(path, parts[0], parts[1], parts[2], kHeads, /*causal=*/false);
    const torch::Tensor from_copies = AttentionOn(path, parts[0].contiguous(), parts[1].contiguous(),
                                                  parts[2].contiguous(), kHeads, /*causal=*/false);
    EXPECT_TRUE(torch::equal(from_views, from_copies));
  }
}

TEST(Attention, SampleDoesNotDependOnItsBatch) {
  const torch::NoGradGuard no_grad;
  const Case c = MakeCase({3, 4, 200, 200, 40});
  for (const AttentionPath path : FlashPaths()) {
    const torch::Tensor batch = AttentionOn(path, c.q, c.k, c.v, 4, /*causal=*/false);
    for (int64_t i = 0; i < 3; ++i) {
      const torch::Tensor alone = AttentionOn(path, c.q.narrow(0, i, 1), c.k.narrow(0, i, 1),
                                              c.v.narrow(0, i, 1), 4, /*causal=*/false);
      EXPECT_TRUE(torch::equal(batch.narrow(0, i, 1), alone)) << "sample " << i;
    }
  }
}

// Maps of the first N - M rows serve two rows of values, the others one.
struct SharedShape {
  int64_t maps, shared, heads, length, dim;
};

class SharedAttentionTest : public testing::TestWithParam<SharedShape> {};

TEST_P(SharedAttentionTest, EqualsAttentionOfRepeatedMaps) {
  const torch::NoGradGuard no_grad;
  const SharedShape s = GetParam();
  const Case c = MakeCase({s.maps + s.shared, s.heads, s.length, s.length, s.dim});
  const torch::Tensor q = c.q.narrow(0, 0, s.maps), k = c.k.narrow(0, 0, s.maps);
  const torch::Tensor all_q = torch::cat({q, q.narrow(0, 0, s.shared)}),
                      all_k = torch::cat({k, k.narrow(0, 0, s.shared)});
  for (const AttentionPath path : FlashPaths()) {
    const torch::Tensor ours = kernels::SharedAttentionOn(path, q, k, c.v, s.heads);
    ASSERT_TRUE(ours.is_contiguous());
    EXPECT_TRUE(torch::equal(ours, AttentionOn(path, all_q, all_k, c.v, s.heads, /*causal=*/false)))
        << "path " << static_cast<int>(path);
  }
  // In float32 the sums may be added in another order.
  constexpr double kTolerance = 5e-6;
  const torch::Tensor ours = kernels::SharedAttentionOn(
      AttentionPath::kTorch, q.to(torch::kFloat32), k.to(torch::kFloat32), c.v.to(torch::kFloat32), s.heads);
  const torch::Tensor theirs = InFloat({all_q, all_k, c.v}, s.heads);
  EXPECT_LE((ours - theirs).abs().max().item<double>(), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SharedAttentionTest,
                         testing::Values(SharedShape{2, 2, 8, 1024, 40}, SharedShape{3, 2, 8, 256, 80},
                                         SharedShape{2, 1, 8, 64, 160}, SharedShape{1, 1, 5, 300, 64},
                                         SharedShape{4, 0, 3, 100, 40}, SharedShape{2, 2, 1, 33, 7},
                                         SharedShape{5, 4, 2, 257, 48}, SharedShape{1, 1, 1, 16, 512}));

TEST(Attention, WhatIsNotFiniteShowsAsNan) {
  const torch::NoGradGuard no_grad;
  for (const AttentionPath path : FlashPaths()) {
    Case c = MakeCase({1, 1, 40, 40, 40});
    c.q[0][7][3] = std::numeric_limits<float>::quiet_NaN();
    const torch::Tensor bad_query = AttentionOn(path, c.q, c.k, c.v, 1, /*causal=*/false);
    EXPECT_TRUE(bad_query[0][7].isnan().all().item<bool>());
    EXPECT_FALSE(bad_query[0][8].isnan().any().item<bool>());
    c = MakeCase({1, 1, 40, 40, 40});
    c.k[0][7][3] = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(AttentionOn(path, c.q, c.k, c.v, 1, /*causal=*/false).isnan().all().item<bool>());
    c = MakeCase({1, 1, 40, 40, 40});
    c.v[0][7][3] = std::numeric_limits<float>::quiet_NaN();
    const torch::Tensor bad_value = AttentionOn(path, c.q, c.k, c.v, 1, /*causal=*/false);
    EXPECT_TRUE(bad_value.select(2, 3).isnan().all().item<bool>());
    EXPECT_FALSE(bad_value.select(2, 4).isnan().any().item<bool>());
  }
}

TEST(Attention, GradientsFlow) {
  auto leaf = [](c10::IntArrayRef shape) { return torch::randn(shape, torch::kFloat64).requires_grad_(); };
  torch::manual_seed(5);
  const torch::Tensor q = leaf({1, 3, 8}), k = leaf({1, 4, 8}), v = leaf({1, 4, 8});
  const torch::Tensor factors = torch::randn({1, 3, 8}, torch::kFloat64);
  (Attention(q, k, v, /*heads=*/2) * factors).sum().backward();
  constexpr double kStep = 1e-6;  // central difference
  for (const torch::Tensor& x : {q, k, v}) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor gradient = x.grad().clone();
    x[0][1][2] += kStep;
    const double above = (Attention(q, k, v, 2) * factors).sum().item<double>();
    x[0][1][2] -= 2 * kStep;
    const double below = (Attention(q, k, v, 2) * factors).sum().item<double>();
    x[0][1][2] += kStep;
    EXPECT_NEAR(gradient[0][1][2].item<double>(), (above - below) / (2 * kStep), 1e-7);
  }
}

TEST(Attention, CausalSeesNoLaterKey) {
  const torch::NoGradGuard no_grad;
  const Case c = MakeCase({1, 2, 16, 16, 8});
  const torch::Tensor all = Attention(c.q, c.k, c.v, 2, /*causal=*/true);
  const torch::Tensor first =
      Attention(c.q.narrow(1, 0, 5), c.k.narrow(1, 0, 5), c.v.narrow(1, 0, 5), 2, true);
  EXPECT_TRUE(
      torch::allclose(all.narrow(1, 0, 5).to(torch::kFloat32), first.to(torch::kFloat32), 0.02, 0.02));
}

TEST(Attention, RefusesShapesThatDoNotMatch) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::zeros({1, 4, 10});
  EXPECT_THROW(Attention(x, x, x, 3), c10::Error);
  EXPECT_THROW(Attention(x, torch::zeros({2, 4, 10}), torch::zeros({2, 4, 10}), 2), c10::Error);
  EXPECT_THROW(Attention(x, x, torch::zeros({1, 5, 10}), 2), c10::Error);
}

TEST(ChooseAttention, KeepsToTorchWhereFlashCannotGo) {
  const torch::Tensor x = torch::zeros({1, 64, 80}, torch::kBFloat16);
  EXPECT_EQ(kernels::ChooseAttention(x, x, x, 2, false), AttentionPath::kTorch);  // gradients are on
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(kernels::ChooseAttention(x, x, x, 2, true), AttentionPath::kTorch);
  const torch::Tensor x32 = x.to(torch::kFloat32);
  EXPECT_EQ(kernels::ChooseAttention(x32, x32, x32, 2, false), AttentionPath::kTorch);
  EXPECT_TRUE(kernels::IsAvailable(kernels::ChooseAttention(x, x, x, 2, false)));
}

}  // namespace
}  // namespace ip2p
