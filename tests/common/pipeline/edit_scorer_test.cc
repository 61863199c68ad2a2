// Scores of edits are ClipScorer's of the same pictures, in the range that was asked for. Against
// transformers: tests/parity/test_evaluate.py.
#include "common/pipeline/edit_scorer.h"

#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

Image Blobs(int phase) {
  Image image{.width = 64, .height = 64};
  image.pixels.resize(64 * 64 * 3);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>(i / 3 % 64 * 3 + (i % 3) * 20 * phase + i / 192 * phase);
  return image;
}

class EditScorerTest : public ::testing::TestWithParam<ClipInput> {
 protected:
  std::vector<EditScores> Score(const EditSubject& subject, const std::vector<Image>& edits,
                                ClipInput input = ClipInput::kStandard) const {
    auto scorer = EditScorer::Create(clip_, "cpu", input);
    EXPECT_TRUE(scorer.ok()) << scorer.status();
    auto scores = (*scorer)->Score(subject, edits);
    EXPECT_TRUE(scores.ok()) << scores.status();
    return *scores;
  }

  const ClipSource clip_ = RandomClip(TinyClipConfig(), 5);
  const EditSubject subject_{
      .before = Blobs(1), .target = Blobs(2), .caption = "a red circle", .output = "a blue circle"};
};

TEST_P(EditScorerTest, AreThoseOfTheTensors) {
  const std::vector<Image> edits = {Blobs(3), Blobs(4)};
  const std::vector<EditScores> found = Score(subject_, edits, GetParam());
  const auto clip = *ClipScorer::Create(clip_, torch::kCPU);
  const auto picture = [&](const Image& image) {
    const torch::Tensor signed_range = ImageToTensor(image, torch::kCPU);
    return clip->Images(GetParam() == ClipInput::kReference ? signed_range : (signed_range + 1) / 2)[0];
  };
  const torch::Tensor texts = clip->Texts({subject_.caption, subject_.output});
  ASSERT_EQ(found.size(), 2);
  for (size_t i = 0; i < 2; ++i) {
    const ClipScores want = ScoresOf(picture(subject_.before), picture(edits[i]), texts[0], texts[1]);
    EXPECT_EQ(found[i].clip_image, want.sim_image);
    EXPECT_EQ(found[i].clip_direction, want.sim_dir);
    EXPECT_EQ(found[i].clip_caption, want.sim_0);
    EXPECT_EQ(found[i].clip_t, want.sim_1);
    EXPECT_EQ(found[i].clip_i, Cosine(picture(edits[i]), picture(subject_.target)));
  }
  EXPECT_NE(found[0].clip_image, found[1].clip_image);
}

INSTANTIATE_TEST_SUITE_P(Inputs, EditScorerTest,
                         ::testing::Values(ClipInput::kStandard, ClipInput::kReference),
                         [](const auto& input) { return ClipInputName(input.param); });

TEST_F(EditScorerTest, TheRangeShows) {
  EXPECT_NE(Score(subject_, {Blobs(3)}, ClipInput::kStandard)[0].clip_image,
            Score(subject_, {Blobs(3)}, ClipInput::kReference)[0].clip_image);
}

TEST_F(EditScorerTest, WhatIsUnknownIsNotScored) {
  EditSubject subject{.before = subject_.before};
  EditScores scores = Score(subject, {Blobs(3)})[0];
  EXPECT_FALSE(scores.clip_direction || scores.clip_caption || scores.clip_t || scores.clip_i);
  subject.output = subject_.output;
  scores = Score(subject, {Blobs(3)})[0];
  EXPECT_TRUE(scores.clip_t.has_value());
  EXPECT_FALSE(scores.clip_direction || scores.clip_caption || scores.clip_i);
  EXPECT_TRUE(Score(subject_, {}).empty());
}

TEST_F(EditScorerTest, AnEditThatIsItsTargetIsNearest) {
  const std::vector<EditScores> scores = Score(subject_, {subject_.target, subject_.before});
  EXPECT_NEAR(*scores[0].clip_i, 1, 1e-6);
  EXPECT_NEAR(scores[1].clip_image, 1, 1e-6);
  EXPECT_EQ(scores[1].clip_direction, 0);  // nothing changed
  EXPECT_LT(*scores[1].clip_i, 1 - 1e-4);
}

TEST_F(EditScorerTest, WrongWordsAreTold) {
  EXPECT_EQ(EditScorer::Create(clip_, "tpu", ClipInput::kStandard).status().message(),
            "device is \"tpu\"; wants cpu or cuda:N");
  EXPECT_EQ(ParseClipInput("[-1,1]").status().message(),
            "clip_input is \"[-1,1]\"; wants standard or reference");
  for (const ClipInput input : {ClipInput::kStandard, ClipInput::kReference})
    EXPECT_EQ(ParseClipInput(ClipInputName(input)).value(), input);
}

}  // namespace
}  // namespace ip2p
