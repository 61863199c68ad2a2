// What holds for CLIP's networks whatever their weights, and strict loading. That they compute the right
// thing is tests/parity/test_clip.py's to show.
#include "common/model/clip/clip.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "common/checkpoint/expected_tensors.h"
#include "small_models.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

using testing::HasSubstr;

constexpr double kTolerance = 1e-5;  // float32 sums in another order; features are of order 1

ShapeMap ShapesOf(const torch::nn::Module& module) {
  ShapeMap shapes;
  for (const auto& item : module.named_parameters()) shapes[item.key()] = item.value().sizes().vec();
  return shapes;
}

ClipConfig Large14() {
  ClipConfig c;
  c.vision = {
      .hidden_size = 1024, .intermediate_size = 4096, .num_layers = 24, .num_heads = 16, .patch_size = 14};
  c.projection_dim = 768;
  return c;
}

TEST(ClipTest, NamesAndShapesAreThoseThatOpeningChecks) {
  ClipConfig odd = TinyClipConfig();
  odd.vision.image_size = 30;
  odd.vision.patch_size = 7;
  for (const ClipConfig& config : {TinyClipConfig(), Large14(), odd}) {
    EXPECT_EQ(ShapesOf(*Clip(config)), ClipTensors(config));
    EXPECT_EQ(ShapesOf(*SafetyNetwork(config)), SafetyCheckerTensors(config));
  }
  EXPECT_EQ(ClipTensors(Large14()).size(), 590U) << "as model.safetensors of ViT-L/14, without two counters";
}

class ClipNetworkTest : public testing::Test {
 protected:
  explicit ClipNetworkTest(const ClipConfig& config = TinyClipConfig()) : config_(config), clip_(config) {
    FillRandom(*clip_);
  }
  // Begin, letters, end, padding.
  torch::Tensor Ids(const std::vector<int64_t>& letters, int64_t padding) const {
    torch::Tensor ids = torch::full({1, config_.text.max_positions}, padding, torch::kInt64);
    ids[0][0] = config_.text.bos_token_id;
    for (size_t i = 0; i < letters.size(); ++i) ids[0][static_cast<int64_t>(i) + 1] = letters[i];
    ids[0][static_cast<int64_t>(letters.size()) + 1] = config_.text.eos_token_id;
    return ids;
  }

  const torch::NoGradGuard no_grad_;
  const ClipConfig config_;
  Clip clip_;
};

TEST_F(ClipNetworkTest, ARowDoesNotFeelItsBatch) {
  const torch::Tensor images = torch::randn({3, 3, 32, 32});
  const torch::Tensor ids = torch::cat({Ids({4, 5}, 513), Ids({6}, 513), Ids({7, 8, 9}, 513)});
  const torch::Tensor i = clip_->ImageFeatures(images), t = clip_->TextFeatures(ids);
  EXPECT_EQ(i.sizes(), torch::IntArrayRef({3, 24}));
  EXPECT_EQ(t.sizes(), torch::IntArrayRef({3, 24}));
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_TRUE(i[row].allclose(clip_->ImageFeatures(images.narrow(0, row, 1))[0], kTolerance, kTolerance));
    EXPECT_TRUE(t[row].allclose(clip_->TextFeatures(ids.narrow(0, row, 1))[0], kTolerance, kTolerance));
  }
  EXPECT_FALSE(i[0].allclose(i[1], 0.01, 0.01));
  EXPECT_FALSE(t[0].allclose(t[1], 0.01, 0.01));
}

TEST_F(ClipNetworkTest, WhatFollowsTheEndOfATextIsNotRead) {
  EXPECT_TRUE(clip_->TextFeatures(Ids({4, 5}, 513)).equal(clip_->TextFeatures(Ids({4, 5}, 0))));
  EXPECT_FALSE(clip_->TextFeatures(Ids({4, 5}, 0)).equal(clip_->TextFeatures(Ids({5, 4}, 0))));
}

TEST_F(ClipNetworkTest, WithoutAPooledTokenTheHighestIdCounts) {
  ClipConfig config = TinyClipConfig();
  config.pooled_token.reset();
  Clip highest(config);
  FillRandom(*highest);
  const torch::Tensor usual = Ids({4, 5}, 0), other = Ids({4, 520 - 8, 5}, 0);
  EXPECT_TRUE(highest->TextFeatures(usual).equal(clip_->TextFeatures(usual)));
  EXPECT_TRUE(highest->TextFeatures(other).equal(clip_->TextFeatures(other))) << "512 begins, 513 ends";
  config.pooled_token = 4;
  Clip fourth(config);
  FillRandom(*fourth);
  EXPECT_FALSE(fourth->TextFeatures(usual).equal(clip_->TextFeatures(usual)));
}

TEST_F(ClipNetworkTest, PackedEqualsPlain) {
  const torch::Tensor images = torch::randn({2, 3, 32, 32}), ids = Ids({4, 5, 6}, 513);
  const torch::Tensor i = clip_->ImageFeatures(images), t = clip_->TextFeatures(ids);
  PackAll(*clip_);
  EXPECT_TRUE(clip_->ImageFeatures(images).allclose(i, kTolerance, kTolerance));
  EXPECT_TRUE(clip_->TextFeatures(ids).allclose(t, kTolerance, kTolerance));
}

TEST(ClipGradientTest, EveryParameterThatIsUsedLearns) {
  const ClipConfig config = TinyClipConfig();
  Clip clip(config);
  FillRandom(*clip);
  const torch::Tensor ids = torch::full({2, 77}, config.text.eos_token_id, torch::kInt64);
  (clip->ImageFeatures(torch::randn({2, 3, 32, 32})) * clip->TextFeatures(ids)).sum().backward();
  for (const auto& item : clip->named_parameters()) {
    if (item.key() == "logit_scale") continue;
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
  }
}

TEST(LoadClipTest, LoadsAndRefuses) {
  ClipSource source = RandomClip(TinyClipConfig(), 3);
  const auto loaded = LoadClip(source, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->tokenizer->Encode("a").ids.size(), 77U);

  ClipSource lacking = source;
  lacking.tensors.erase("text_projection.weight");
  const absl::Status missing = LoadClip(lacking, {}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(missing.message(), "clip.text_projection.weight is missing; wants [24,32]");

  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const char* name : {"vision_model.embeddings.class_embedding", "logit_scale"}) {
      ClipSource broken = source;
      TensorView& view = broken.tensors.at(name);
      auto values = std::make_shared<std::vector<float>>(view.data.size() / sizeof(float), value);
      view.data = std::as_bytes(std::span(*values));
      view.owner = values;
      const absl::Status status = LoadClip(broken, {}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(status.message()), HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace ip2p
