// Edits that one thread waits for: steps in order, results by number, and nothing left behind.
#include "common/pipeline/pending_edits.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_edit_engine.h"

namespace ip2p {
namespace {

Image Flat(uint8_t value) { return {64, 64, std::vector<uint8_t>(64 * 64 * 3, value)}; }

EditParams Params(int steps) { return {.instruction = "invert", .steps = steps, .resolution = 64}; }

TEST(PendingEdits, TellsEveryStepAndKeepsResultsByNumber) {
  FakeEditEngine engine;
  PendingEdits edits(engine);
  ASSERT_TRUE(edits.Add(Flat(10), Params(2)).ok());
  ASSERT_TRUE(edits.Add(Flat(20), Params(3)).ok());
  engine.RunByItself(true);
  std::vector<int> last = {0, 0};
  while (const auto step = edits.NextStep()) {
    EXPECT_EQ(step->progress.step, ++last[step->edit]);
  }
  EXPECT_THAT(last, ::testing::ElementsAre(2, 3));
  for (const auto& [edit, value] : {std::pair{1, 235}, {0, 245}}) {
    const auto result = edits.Take(edit);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs[0].image.pixels[0], value);
  }
}

TEST(PendingEdits, ARefusedEditTakesNoNumber) {
  FakeEditEngine engine;
  PendingEdits edits(engine);
  EXPECT_TRUE(absl::IsInvalidArgument(edits.Add(Flat(1), Params(0))));
  EXPECT_FALSE(edits.NextStep().has_value());
  ASSERT_TRUE(edits.Add(Flat(30), Params(1)).ok());
  engine.StepUntilIdle();
  while (edits.NextStep()) {
  }
  EXPECT_EQ(edits.Take(0)->outputs[0].image.pixels[0], 225);
}

TEST(PendingEdits, CancelEndsThoseOfNowAndThoseOfLater) {
  FakeEditEngine engine;  // goes when it is told to
  PendingEdits edits(engine);
  ASSERT_TRUE(edits.Add(Flat(1), Params(3)).ok());
  engine.Step();
  ASSERT_TRUE(edits.NextStep().has_value());
  std::thread([&edits] { edits.Cancel(); }).join();
  ASSERT_TRUE(edits.Add(Flat(1), Params(3)).ok());
  engine.StepUntilIdle();
  EXPECT_FALSE(edits.NextStep().has_value());
  EXPECT_TRUE(absl::IsCancelled(edits.Take(0).status()));
  EXPECT_TRUE(absl::IsCancelled(edits.Take(1).status()));
}

TEST(PendingEdits, GoingGivesUpWhatRunsAndWaitsForIt) {
  FakeEditEngine engine;
  std::thread late;
  {
    PendingEdits edits(engine);
    ASSERT_TRUE(edits.Add(Flat(1), Params(3)).ok());
    engine.Step();
    ASSERT_TRUE(edits.Add(Flat(2), Params(3)).ok());
    // Both are given up before the engine goes on and lets go of them.
    late = std::thread([&engine] {
      EXPECT_TRUE(engine.AwaitCancelRequests(2));
      EXPECT_EQ(engine.waiting() + engine.running(), 2);
      engine.RunByItself(true);
    });
  }
  EXPECT_EQ(engine.waiting() + engine.running(), 0);
  late.join();
}

TEST(PendingEdits, AFailureIsTheEdits) {
  FakeEditEngine engine;
  engine.FailWith(absl::InternalError("the model produced NaN"));
  PendingEdits edits(engine);
  ASSERT_TRUE(edits.Add(Flat(1), Params(1)).ok());
  engine.StepUntilIdle();
  while (edits.NextStep()) {
  }
  EXPECT_EQ(edits.Take(0).status().message(), "the model produced NaN");
}

}  // namespace
}  // namespace ip2p
