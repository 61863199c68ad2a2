#include "common/diffusion/guidance.h"

#include <gtest/gtest.h>

namespace ip2p {
namespace {

using torch::Tensor;

// DESIGN.md's formula, from all three outputs in double.
Tensor Reference(const Tensor& outputs, const GuidanceScales& s) {
  const Tensor full = outputs[0].to(torch::kDouble), image = outputs[1].to(torch::kDouble),
               none = outputs[2].to(torch::kDouble);
  return (none + s.image * (image - none) + s.text * (full - image)).unsqueeze(0);
}

// The rows of `all` [3,...] that the branches of these scales need.
Tensor Needed(const Tensor& all, const GuidanceScales& scales) {
  std::vector<Tensor> rows;
  for (const GuidanceBranch& b : GuidanceBranches(scales)) rows.push_back(all[b.text ? 0 : b.image ? 1 : 2]);
  return torch::stack(rows);
}

TEST(GuidanceTest, BranchesStandInTheReferencesOrder) {
  const std::vector<GuidanceBranch> branches = GuidanceBranches({.text = 7.5, .image = 1.5});
  EXPECT_EQ(branches,
            (std::vector<GuidanceBranch>{{true, true, 7.5}, {false, true, -6}, {false, false, -0.5}}));
}

TEST(GuidanceTest, BranchesWithoutAShareAreLeftOut) {
  EXPECT_EQ(GuidanceBranches({.text = 7.5, .image = 1}),
            (std::vector<GuidanceBranch>{{true, true, 7.5}, {false, true, -6.5}}));
  EXPECT_EQ(GuidanceBranches({.text = 2, .image = 2}),
            (std::vector<GuidanceBranch>{{true, true, 2}, {false, false, -1}}));
  EXPECT_EQ(GuidanceBranches({.text = 0, .image = 1.5}),
            (std::vector<GuidanceBranch>{{false, true, 1.5}, {false, false, -0.5}}));
  EXPECT_EQ(GuidanceBranches({.text = 1, .image = 1}), (std::vector<GuidanceBranch>{{true, true, 1}}));
  EXPECT_EQ(GuidanceBranches({.text = 0, .image = 1}), (std::vector<GuidanceBranch>{{false, true, 1}}));
  EXPECT_EQ(GuidanceBranches({.text = 0, .image = 0}), (std::vector<GuidanceBranch>{{false, false, 1}}));
}

// For the difference that the text makes, the first two are there whatever their shares.
TEST(GuidanceTest, WithTheDifferenceTheFirstTwoAreAlwaysThere) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(8);
  const Tensor all = torch::randn({3, 4, 8, 8}, generator);
  for (const GuidanceScales scales :
       {GuidanceScales{2, 2}, GuidanceScales{0, 1.5}, GuidanceScales{1, 1}, GuidanceScales{7.5, 1.5}}) {
    const auto branches = GuidanceBranches(scales, /*with_difference=*/true);
    ASSERT_GE(branches.size(), 2u);
    EXPECT_TRUE(branches[0].text && branches[0].image);
    EXPECT_TRUE(!branches[1].text && branches[1].image);
    const Tensor guided =
        Guide(all.narrow(0, 0, static_cast<int64_t>(branches.size())), scales, /*with_difference=*/true);
    EXPECT_TRUE(torch::allclose(guided.to(torch::kDouble), Reference(all, scales), 1e-5, 1e-5));
  }
}

TEST(GuidanceTest, LeavingBranchesOutDoesNotChangeTheAnswer) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const Tensor all = torch::randn({3, 4, 8, 6}, generator);
  for (double text : {0.0, 1.0, 1.5, 2.0, 7.5, 100.0}) {
    for (double image : {0.0, 0.5, 1.0, 1.5, 2.0, 7.5}) {
      const GuidanceScales scales{text, image};
      const Tensor guided = Guide(Needed(all, scales), scales);
      EXPECT_EQ(guided.sizes(), (std::vector<int64_t>{1, 4, 8, 6}));
      EXPECT_EQ(guided.scalar_type(), torch::kFloat32);
      const double error = (guided - Reference(all, scales)).abs().max().item<double>();
      EXPECT_LT(error, 1e-6 * (1 + text + image) * 4)
          << text << " " << image;  // a few float32 roundings of the terms
    }
  }
}

TEST(GuidanceTest, HalfPrecisionOutputsAreCombinedInFloat32) {
  const Tensor all = torch::tensor({1.0F, 0.5F, -2.0F}).reshape({3, 1, 1, 1}).to(torch::kBFloat16);
  EXPECT_FLOAT_EQ(Guide(all, {.text = 7.3, .image = 1.7}).item<float>(), -2.0F + 1.7F * 2.5F + 7.3F * 0.5F);
}

TEST(GuidanceTest, AWrongNumberOfBranchesIsAnError) {
  EXPECT_THROW(Guide(torch::zeros({3, 4, 8, 8}), {.text = 7.5, .image = 1}), c10::Error);
  EXPECT_THROW(Guide(torch::zeros({4, 8, 8}), {}), c10::Error);
}

}  // namespace
}  // namespace ip2p
