#include "common/diffusion/request_noise.h"

#include <gtest/gtest.h>

#include <limits>

namespace ip2p {
namespace {

using torch::Tensor;

TEST(NoiseGeneratorTest, ASeedsNumbersArePythons) {
  // torch.manual_seed(0); torch.randn(3), as PyTorch's own documentation prints it.
  const Tensor few = NoiseGenerator(0, torch::kCPU).Draw({3});
  EXPECT_NEAR(few[0].item<float>(), 1.5410, 5e-5);
  EXPECT_NEAR(few[1].item<float>(), -0.2934, 5e-5);
  EXPECT_NEAR(few[2].item<float>(), -2.1788, 5e-5);
  // From 16 values on torch fills vectors at a time: torch.manual_seed(0); torch.randn(1, 4, 8, 8)[0, 0, 0,
  // :3].
  const Tensor many = NoiseGenerator(0, torch::kCPU).Draw({1, 4, 8, 8});
  EXPECT_NEAR(many[0][0][0][0].item<float>(), -1.1258, 5e-5);
  EXPECT_NEAR(many[0][0][0][1].item<float>(), -1.1524, 5e-5);
  EXPECT_NEAR(many[0][0][0][2].item<float>(), -0.2506, 5e-5);
}

TEST(NoiseGeneratorTest, DrawsAreTheSeedsAlone) {
  NoiseGenerator a(7, torch::kCPU), b(7, torch::kCPU), other(8, torch::kCPU);
  const Tensor first = a.Draw({1, 4, 8, 8});
  torch::manual_seed(99);  // the process's generator is another one
  torch::randn({100});
  other.Draw({1, 4, 8, 8});
  EXPECT_TRUE(torch::equal(b.Draw({1, 4, 8, 8}), first));
  const Tensor second = a.Draw({1, 4, 8, 8});
  EXPECT_FALSE(torch::equal(second, first));
  EXPECT_TRUE(torch::equal(b.Draw({1, 4, 8, 8}), second));
}

TEST(NoiseGeneratorTest, TheLargestSeedIsASeed) {
  const uint64_t largest = std::numeric_limits<uint32_t>::max();
  const Tensor draw = NoiseGenerator(largest, torch::kCPU).Draw({1, 4, 64, 64});
  EXPECT_EQ(draw.scalar_type(), torch::kFloat32);
  EXPECT_NEAR(draw.mean().item<double>(), 0, 0.05);  // 16,384 values: 6 standard errors
  EXPECT_NEAR(draw.std().item<double>(), 1, 0.05);
}

}  // namespace
}  // namespace ip2p
