// Every implementation of attention against float32, over the shapes that the networks use and the odd ones.
#include "common/model/kernels/attention.h"

#include <gtest/gtest.h>

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
  return AttentionOn(AttentionPath::kTorch, c.q.to(torch::kFloat32), c.k.to(torch::kFloat32), c.v.to(torch::kFloat32),
                     heads, /*causal=*/false);
}

double MeanError(const torch::Tensor& x, const torch::Tensor& exact) {
  return (x.to(torch::kFloat64) - exact.to(torch::kFloat64)).square().mean().sqrt().item<double>();
}

double MaxError(const torch::Tensor& x, const torch::Tensor& exact) {
  return (x.to(torch::kFloat64) - exact.to(torch::kFloat64)).abs().max().item<double>();
}

class FlashAttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(FlashAttentionTest, ErrsNoMoreThanTorchInBfloat16) {
  const torch::NoGradGuard no_grad;
  const Shape s = GetParam();
  const Case c = MakeCase(s);
  const torch::Tensor exact = InFloat(c, s.heads);
  const torch::Tensor torch16 = AttentionOn(AttentionPath::kTorch, c.q, c.k, c.v, s.heads, /*causal=*/false);
  for (const AttentionPath path : FlashPaths()) {
    const torch::Tensor ours = AttentionOn(path, c.q, c.k, c.v, s.heads, /*causal=*/false);
    ASSERT_EQ(ours.sizes(), c.q.sizes());
    EXPECT_TRUE(ours.is_contiguous());
    std::printf("path %d  rms %.3g (torch %.3g)  max %.3g (torch %.3g)\n", (int)path, MeanError(ours, exact), MeanError(torch16, exact), MaxError(ours, exact), MaxError(torch16, exact));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FlashAttentionTest,
                         testing::Values(Shape{3, 8, 1024, 1024, 40}, Shape{3, 8, 256, 256, 80},
                                         Shape{3, 8, 64, 64, 160}, Shape{2, 5, 300, 300, 64},
                                         Shape{1, 1, 1024, 1024, 512}, Shape{3, 8, 1024, 77, 40},
                                         Shape{2, 3, 257, 77, 80}, Shape{1, 2, 1, 1, 40}, Shape{1, 2, 77, 257, 8},
                                         Shape{2, 2, 33, 31, 24}, Shape{1, 2, 100, 129, 48}, Shape{2, 4, 40, 300, 40, 5.0},
                                         Shape{2, 4, 257, 257, 80, 3.0}, Shape{1, 2, 64, 128, 7}));

}  // namespace
}  // namespace ip2p
