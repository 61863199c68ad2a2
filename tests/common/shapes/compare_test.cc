#include "common/shapes/compare.h"

#include <gmock/gmock.h>

#include "common/shapes/draw.h"
#include "common/shapes/oracle.h"
#include "gtest/gtest.h"
#include "tests/common/shapes/placed.h"

namespace ip2p::shapes {
namespace {

constexpr uint64_t kSet = 77;
constexpr int64_t kScenes = 400;

SceneReading Read(const PlacedScene& placed) { return ReadScene(DrawScene(placed)); }

PlacedScene After(const PlacedScene& before, const SceneEdit& edit) {
  PlacedScene after = before;
  after.scene = *Apply(edit, before.scene);
  return after;
}

// Every instruction of the grammar changes a picture in a way that can be seen, and nothing else.
TEST(JudgeEditTest, DrawnEditsAreDoneAndUndoneOnesAreNot) {
  for (int64_t i = 0; i < kScenes; ++i) {
    const SampledScene sample = SampleScene(kSet, i);
    const EditedScene edited = RandomEdit(sample.told, static_cast<uint64_t>(i));
    const EditVerdict done = *JudgeEdit(sample.placed, edited.edit, Read(After(sample.placed, edited.edit)));
    EXPECT_TRUE(done.changed && done.kept)
        << sample.caption << ", " << edited.instruction << ": " << done.fault;
    const EditVerdict undone = *JudgeEdit(sample.placed, edited.edit, Read(sample.placed));
    EXPECT_FALSE(undone.changed) << sample.caption << ", " << edited.instruction;
    EXPECT_TRUE(undone.kept) << undone.fault;
  }
}

const PlacedScene kBefore = Placed({{Shape::kCircle, Color::kRed}, {Shape::kStar, Color::kBlue}},
                                   Background::kSand, {{0.3, 0.3, 0.13}, {0.7, 0.65, 0.15}});
constexpr SceneEdit kGreenCircle{.kind = EditKind::kRecolour, .object = 0, .color = Color::kGreen};

EditVerdict JudgeGreen(const std::function<void(PlacedScene&)>& spoil) {
  PlacedScene after = After(kBefore, kGreenCircle);
  spoil(after);
  return *JudgeEdit(kBefore, kGreenCircle, Read(after));
}

TEST(JudgeEditTest, WhatElseChangedIsTold) {
  const auto expect_spoiled = [](const EditVerdict& verdict, const std::string& why) {
    EXPECT_TRUE(verdict.changed) << why;
    EXPECT_FALSE(verdict.kept) << why;
    EXPECT_THAT(verdict.fault, testing::HasSubstr(why));
  };
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.scene.background = Background::kGrey; }),
                 "the background is grey; wants sand");
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.scene.objects[1].color = Color::kPurple; }),
                 "is purple; wants blue");
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.scene.objects[1].shape = Shape::kHeart; }),
                 "is a heart; wants a star");
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.scene.objects[0].shape = Shape::kSquare; }),
                 "is a square; wants a circle");
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.spots[1].x -= 8.0 / 128; }),
                 "the blue star moved by 8.0 px; wants at most 6.0");
  expect_spoiled(JudgeGreen([](PlacedScene& after) { after.spots[0].radius *= 1.4; }), "times as large");
  expect_spoiled(JudgeGreen([](PlacedScene& after) {
                   after.scene.objects.pop_back();
                   after.spots.pop_back();
                 }),
                 "objects are 1; wants 2");
}

TEST(JudgeEditTest, WithinSixPixelsIsTheSamePlace) {
  const EditVerdict verdict = JudgeGreen([](PlacedScene& after) {
    after.spots[0].y += 5.0 / 128;
    after.spots[1].x -= 5.0 / 128;
  });
  EXPECT_TRUE(verdict.changed && verdict.kept) << verdict.fault;
}

TEST(JudgeEditTest, AWrongChangeIsNone) {
  const EditVerdict verdict =
      JudgeGreen([](PlacedScene& after) { after.scene.objects[0].color = Color::kYellow; });
  EXPECT_FALSE(verdict.changed);
  EXPECT_TRUE(verdict.kept);
  EXPECT_THAT(verdict.fault, testing::HasSubstr("is yellow; wants green"));
}

TEST(JudgeEditTest, NothingIsChangedOrKeptInAnEmptyPicture) {
  SceneReading nothing{.width = 128, .height = 128};
  const EditVerdict verdict = *JudgeEdit(kBefore, kGreenCircle, nothing);
  EXPECT_FALSE(verdict.changed);
  EXPECT_FALSE(verdict.kept);
  EXPECT_EQ(verdict.fault, "the green circle is gone");
}

TEST(JudgeEditTest, RefusesAnEditThatIsNone) {
  EXPECT_EQ(JudgeEdit(kBefore, {.kind = EditKind::kRecolour, .object = 0, .color = Color::kRed}, {})
                .status()
                .message(),
            "the edit changes nothing");
  PlacedScene spotless = kBefore;
  spotless.spots.clear();
  EXPECT_EQ(JudgeEdit(spotless, kGreenCircle, {}).status().message(),
            "spots are 0; wants one for each of 2 objects");
}

TEST(DifferenceTest, ACaptionIsReadBackInEitherOrder) {
  const SceneReading reading = Read(kBefore);
  const auto difference = [&](const char* caption) {
    return DifferenceFromScene(reading, ParseCaption(caption)->scene);
  };
  EXPECT_EQ(difference("a red circle and a blue star on sand"), "");
  EXPECT_EQ(difference("a blue star and a red circle on sand"), "");
  EXPECT_EQ(difference("a red circle in the top left corner and a blue star on sand"), "");
  EXPECT_EQ(difference("a red circle and a large blue star on sand"), "");
  EXPECT_THAT(difference("a red circle and a small blue star on sand"),
              testing::HasSubstr("is large; wants small"));
  EXPECT_THAT(difference("a red circle on the right and a blue star on sand"),
              testing::HasSubstr("is in the top left corner; wants on the right"));
  EXPECT_EQ(difference("a red circle and a blue star at night"), "the background is sand; wants night");
  EXPECT_EQ(difference("a red circle on sand"), "objects are 2; wants 1");
  EXPECT_THAT(difference("a red star and a blue circle on sand"), testing::HasSubstr("wants"));
}

TEST(DifferenceTest, PlacesCountWhenAsked) {
  const SceneReading reading = Read(kBefore);
  EXPECT_EQ(DifferenceFromPlaced(reading, kBefore), "");
  PlacedScene moved = kBefore;
  moved.spots[0].x += 0.06;
  EXPECT_THAT(DifferenceFromPlaced(reading, moved), testing::HasSubstr("the red circle moved by 7."));
}

}  // namespace
}  // namespace ip2p::shapes
