// The safety checker's decision at its thresholds. Against diffusers: tests/parity/test_clip.py.
#include "common/pipeline/safety_check.h"

#include <cstring>
#include <limits>
#include <span>

#include "common/checkpoint/expected_tensors.h"
#include "common/model/clip/clip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

constexpr float kFar = 10;  // a threshold that no cosine reaches

Image Picture(int width, int height) {
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>((i * i / 7 + i) & 255);
  return image;
}

void SetThresholds(SafetyCheckerSource& source, const std::string& name, std::vector<float> values) {
  auto owner = std::make_shared<std::vector<float>>(std::move(values));
  TensorView& view = source.tensors.at(name);
  view.data = std::as_bytes(std::span(*owner));
  view.owner = owner;
}

class SafetyCheckTest : public testing::Test {
 protected:
  // Cosine of the picture with the first concept and the first special one, from a checker of thresholds 0.
  SafetyCheckTest() : source_(RandomSafetyChecker(TinyClipConfig(), 9)), picture_(Picture(32, 32)) {
    const torch::NoGradGuard no_grad;
    SafetyNetwork network = *LoadSafetyNetwork(source_, {});
    const torch::Tensor pixels =
        torch::tensor(c10::ArrayRef<uint8_t>(picture_.pixels), torch::kFloat32).view({32, 32, 3}) / 255;
    const auto row = [](const std::array<float, 3>& v) { return torch::tensor(c10::ArrayRef<float>(v)); };
    const torch::Tensor input = (pixels - row(source_.preprocessing.mean)) / row(source_.preprocessing.std);
    const auto excess = network->forward(input.permute({2, 0, 1}).unsqueeze(0).contiguous());
    concept_ = excess.concepts[0][0].item<float>();
    special_ = excess.special[0][0].item<float>();
  }

  // Whether the picture is flagged when its cosine is beyond these thresholds by so much.
  bool Flagged(float concept_excess, float special_excess) {
    std::vector<float> concepts(kUnsafeConcepts, kFar), special(kSpecialConcepts, kFar);
    concepts[0] = concept_ - concept_excess;
    special[0] = special_ - special_excess;
    SetThresholds(source_, "concept_embeds_weights", concepts);
    SetThresholds(source_, "special_care_embeds_weights", special);
    auto checker = SafetyChecker::Create(source_, "cpu");
    EXPECT_TRUE(checker.ok()) << checker.status();
    const auto unsafe = (*checker)->IsUnsafe(picture_);
    EXPECT_TRUE(unsafe.ok()) << unsafe.status();
    return *unsafe;
  }

  SafetyCheckerSource source_;
  const Image picture_;
  float concept_ = 0, special_ = 0;
};

TEST_F(SafetyCheckTest, FlagsWhatExceedsAThresholdByHalfAThousandth) {
  EXPECT_TRUE(Flagged(0.0006F, -1));
  EXPECT_FALSE(Flagged(0.0004F, -1));  // 0.000 after rounding
  EXPECT_FALSE(Flagged(-0.1F, -1));
}

TEST_F(SafetyCheckTest, ASpecialConceptLowersTheThresholdsByAHundredth) {
  EXPECT_TRUE(Flagged(-0.009F, 0.1F));
  EXPECT_FALSE(Flagged(-0.009F, -0.1F));
  EXPECT_FALSE(Flagged(-0.011F, 0.1F));
  EXPECT_FALSE(Flagged(-1, 0.1F)) << "none by itself";
}

TEST_F(SafetyCheckTest, OtherSizesAreFittedAndCropped) {
  auto checker = SafetyChecker::Create(source_, "cpu");
  ASSERT_TRUE(checker.ok()) << checker.status();
  for (const auto& [width, height] :
       {std::pair(64, 64), std::pair(100, 40), std::pair(7, 90), std::pair(1, 1)})
    EXPECT_TRUE((*checker)->IsUnsafe(Picture(width, height)).ok()) << width << "x" << height;
  EXPECT_EQ((*checker)->IsUnsafe(Image{}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SafetyCheckTest, DamagedThresholdsAreRefused) {
  SetThresholds(source_, "concept_embeds_weights",
                std::vector<float>(kUnsafeConcepts, std::numeric_limits<float>::quiet_NaN()));
  EXPECT_EQ(SafetyChecker::Create(source_, "cpu").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ip2p
