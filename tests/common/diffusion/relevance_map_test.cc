#include "common/diffusion/relevance_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ip2p {
namespace {

using torch::Tensor;

// Predictions whose difference is `inside` in a box of the size and `outside` elsewhere, with noise on both.
struct Pair {
  Tensor with_text, without_text;
};

Pair Predictions(int side, double inside, double outside, int64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const Tensor base = torch::randn({1, 4, 64, 64}, generator);
  Tensor size = torch::full({1, 4, 64, 64}, outside);
  size.slice(2, 20, 20 + side).slice(3, 10, 10 + side).fill_(inside);
  return {base + size * torch::randn({1, 4, 64, 64}, generator), base};
}

Tensor BoxOf(int side) {
  Tensor box = torch::zeros({1, 1, 64, 64}, torch::kBool);
  box.slice(2, 20, 20 + side).slice(3, 10, 10 + side).fill_(true);
  return box;
}

double Overlap(const Tensor& a, const Tensor& b) {  // intersection over union
  return (a & b).sum().item<double>() / (a | b).sum().item<double>();
}

class RelevanceMapTest : public ::testing::TestWithParam<int> {};

// From 2 % of the picture to 70 %: no fixed part of the mean or of the quartiles would do for both.
TEST_P(RelevanceMapTest, FindsEditsOfEverySize) {
  RelevanceMap map;
  EXPECT_TRUE(map.empty());
  for (int step = 0; step < 10; ++step) {
    const Pair pair = Predictions(GetParam(), 0.3, 0.1, step);
    map.Add(PredictionType::kEpsilon, 1.5, pair.with_text, pair.without_text);
  }
  const Tensor relevance = map.Normalised();
  EXPECT_GE(relevance.min().item<double>(), 0);
  EXPECT_LE(relevance.max().item<double>(), 1);
  EXPECT_GT(Overlap(relevance >= 0.5, BoxOf(GetParam())), 0.85);
  EXPECT_GT(relevance.masked_select(BoxOf(GetParam())).mean().item<double>(), 0.85);
  EXPECT_LT(relevance.masked_select(~BoxOf(GetParam())).mean().item<double>(), 0.15);
}

INSTANTIATE_TEST_SUITE_P(Sides, RelevanceMapTest, ::testing::Values(9, 20, 40, 44));

TEST(RelevanceMapTest, PredictionsOfEpsilonAndVWeighAlike) {
  // The same denoisers told in both ways, at levels that weigh differently when they are not brought to one
  // unit.
  RelevanceMap epsilon, v;
  for (const double sigma : {10.0, 1.0}) {
    const Pair pair = Predictions(sigma > 5 ? 9 : 40, 0.3, 0.1, 1);
    const double per_v = std::sqrt(sigma * sigma + 1);  // d epsilon = d v / sqrt(sigma^2 + 1)
    epsilon.Add(PredictionType::kEpsilon, sigma, pair.with_text, pair.without_text);
    v.Add(PredictionType::kVPrediction, sigma, pair.with_text * per_v, pair.without_text * per_v);
  }
  EXPECT_TRUE(torch::allclose(epsilon.Normalised(), v.Normalised(), 1e-4, 1e-4));
}

TEST(RelevanceMapTest, NothingToChangeIsAllZeros) {
  RelevanceMap map;
  const Tensor same = torch::ones({1, 4, 8, 8}, torch::kBFloat16);
  map.Add(PredictionType::kEpsilon, 2, same, same);
  EXPECT_EQ(map.Normalised().max().item<float>(), 0);
  EXPECT_FALSE(RelevantCells(map.Normalised(), 0.5).any().item<bool>());
  EXPECT_TRUE(RelevantCells(map.Normalised(), 0).all().item<bool>());
}

TEST(RelevanceMapTest, WhatIsNotFiniteShows) {
  RelevanceMap map;
  Tensor broken = torch::ones({1, 4, 8, 8});
  broken[0][0][3][3] = std::numeric_limits<float>::quiet_NaN();
  map.Add(PredictionType::kEpsilon, 2, broken, torch::zeros({1, 4, 8, 8}));
  EXPECT_EQ(map.Normalised().min().item<float>(), 1);
}

TEST(RelevantCellsTest, TheCellsAroundBelongToIt) {
  Tensor relevance = torch::zeros({1, 1, 6, 6});
  relevance[0][0][2][2] = 0.5;
  EXPECT_EQ(RelevantCells(relevance, 0.5).sum().item<int>(), 9);
  EXPECT_EQ(RelevantCells(relevance, 0.51).sum().item<int>(), 0);
}

}  // namespace
}  // namespace ip2p
