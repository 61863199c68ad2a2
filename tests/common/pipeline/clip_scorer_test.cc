// Scores: their formulas, and that nothing but its own text or picture is in a feature. Against transformers:
// tests/parity/test_clip.py.
#include "common/pipeline/clip_scorer.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

std::unique_ptr<ClipScorer> MakeScorer() {
  auto scorer = ClipScorer::Create(RandomClip(TinyClipConfig(), 5), torch::kCPU);
  EXPECT_TRUE(scorer.ok()) << scorer.status();
  return *std::move(scorer);
}

torch::Tensor Vector(std::vector<float> values) { return torch::tensor(values); }

TEST(ScoresOfTest, AreTheFourCosines) {
  const torch::Tensor i0 = Vector({1, 0, 0}), i1 = Vector({0, 1, 0}), t0 = Vector({0.6F, 0.8F, 0}),
                      t1 = Vector({0, 0.6F, 0.8F});
  const ClipScores s = ScoresOf(i0, i1, t0, t1);
  EXPECT_NEAR(s.sim_0, 0.6, 1e-6);
  EXPECT_NEAR(s.sim_1, 0.6, 1e-6);
  EXPECT_NEAR(s.sim_image, 0, 1e-6);
  // (-1, 1, 0) and (-0.6, -0.2, 0.8)
  EXPECT_NEAR(s.sim_dir, 0.4 / (std::sqrt(2.0) * std::sqrt(1.04)), 1e-6);
}

TEST(ScoresOfTest, WhatDoesNotChangeHasNoDirection) {
  const torch::Tensor a = Vector({0.6F, 0.8F}), b = Vector({1, 0});
  EXPECT_EQ(ScoresOf(a, a, a, b).sim_dir, 0);
  EXPECT_EQ(ScoresOf(a, b, a, a).sim_dir, 0);
  EXPECT_NEAR(ScoresOf(a, a, a, b).sim_image, 1, 1e-6);
}

TEST(ClipScorerTest, FeaturesHaveUnitLength) {
  const auto scorer = MakeScorer();
  for (const torch::Tensor& f :
       {scorer->Texts({"a", "", "b c"}), scorer->Images(torch::rand({3, 3, 64, 64}))}) {
    EXPECT_EQ(f.sizes(), torch::IntArrayRef({3, 24}));
    EXPECT_EQ(f.scalar_type(), torch::kFloat32);
    EXPECT_TRUE(f.norm(2, 1).allclose(torch::ones({3}), 1e-6, 1e-6));
  }
}

TEST(ClipScorerTest, AFeatureDoesNotFeelItsNeighbours) {
  const auto scorer = MakeScorer();
  const torch::Tensor images = torch::rand({5, 3, 64, 64});
  const torch::Tensor together = scorer->Images(images), texts = scorer->Texts({"a", "bb", "ccc"});
  for (int64_t i = 0; i < 5; ++i) EXPECT_TRUE(scorer->Images(images.narrow(0, i, 1))[0].equal(together[i]));
  EXPECT_TRUE(scorer->Texts({"ccc"})[0].equal(texts[2]));
  EXPECT_FALSE(together[0].equal(together[1]));
  EXPECT_FALSE(texts[0].equal(texts[1]));
}

TEST(ClipScorerTest, ALongTextIsCutAndAPictureOfAnySizeFits) {
  const auto scorer = MakeScorer();
  std::string seventy_four, fits;
  for (int i = 0; i < 74; ++i) seventy_four += "a ";
  fits = seventy_four + "a";
  const torch::Tensor whole = scorer->Texts({fits});
  EXPECT_TRUE(scorer->Texts({fits + " b c"}).equal(whole));
  EXPECT_FALSE(scorer->Texts({seventy_four}).equal(whole));
  for (const int64_t side : {8, 32, 64, 512})
    EXPECT_TRUE(torch::isfinite(scorer->Images(torch::rand({1, 3, side, side}))).all().item<bool>()) << side;
}

TEST(ClipScorerTest, ADamagedClipIsRefused) {
  ClipSource source = RandomClip(TinyClipConfig(), 5);
  TensorView& view = source.tensors.at("visual_projection.weight");
  auto values = std::make_shared<std::vector<float>>(view.data.size() / sizeof(float), std::nanf(""));
  view.data = std::as_bytes(std::span(*values));
  view.owner = values;
  EXPECT_EQ(ClipScorer::Create(source, torch::kCPU).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ip2p
