#include "common/training/run_checkpoint.h"

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorView View(float value) {
  const auto floats = std::make_shared<std::vector<float>>(6, value);
  return {.shape = {2, 3}, .data = std::as_bytes(std::span(*floats)), .owner = floats};
}

RunCheckpoint At(int64_t step) {
  return {.state = {.step = step, .updates = step, .seed = ~uint64_t{0}, .loss = 0.25, .config_digest = "d"},
          .weights = {{"unet.w", View(static_cast<float>(step))}},
          .ema = {{"unet.w", View(1)}},
          .optimizer = {{"exp_avg.unet.w", View(2)}}};
}

std::vector<int64_t> Steps(const std::string& run) {
  std::vector<int64_t> steps;
  const auto entries = ListRunCheckpoints(run);
  EXPECT_TRUE(entries.ok()) << entries.status();
  for (const CheckpointEntry& entry : *entries) steps.push_back(entry.step);
  return steps;
}

float First(const RunCheckpoint& checkpoint) {
  return *reinterpret_cast<const float*>(checkpoint.weights.at("unet.w").data.data());
}

TEST(RunCheckpoint, ComesBackAsItWas) {
  const TempFolder run;
  EXPECT_EQ(LoadRunCheckpoint(run.path()).status().code(), absl::StatusCode::kNotFound);
  RunCheckpoint saved = At(7);
  saved.state.loss = std::nan("");
  saved.state.not_finite_in_row = 3;
  ASSERT_TRUE(SaveRunCheckpoint(run.path(), saved).ok());
  const auto loaded = LoadRunCheckpoint(run.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(std::isnan(loaded->state.loss));
  EXPECT_EQ(loaded->state.seed, ~uint64_t{0});
  EXPECT_EQ(loaded->state.not_finite_in_row, 3);
  EXPECT_EQ(First(*loaded), 7);
  EXPECT_EQ(loaded->optimizer.size(), 1);
  EXPECT_EQ(run.Read("checkpoints/LATEST"), "step-000000007\n");
}

TEST(RunCheckpoint, KeepsTheNewestAndThePinned) {
  const TempFolder run;
  for (int64_t step : {1, 2, 3, 4}) ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(step)).ok());
  run.Write("checkpoints/step-000000001/pinned", "");
  ASSERT_TRUE(KeepLast(run.path(), 2).ok());
  EXPECT_THAT(Steps(run.path()), ElementsAre(4, 3, 1));
}

TEST(RunCheckpoint, ADamagedOneIsPassedOver) {
  const TempFolder run;
  for (int64_t step : {1, 2}) ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(step)).ok());
  const std::string file = "checkpoints/step-000000002/optimizer.safetensors";
  std::string bytes = run.Read(file);
  bytes.back() ^= 1;
  run.Write(file, bytes);
  EXPECT_EQ(LoadRunCheckpoint(run.path())->state.step, 1);
  const auto asked_for = LoadRunCheckpoint(run.path(), 2);
  EXPECT_EQ(asked_for.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(asked_for.status().message()), HasSubstr("optimizer.safetensors"));
  std::filesystem::remove(run.In("checkpoints/step-000000001/state.json"));
  EXPECT_EQ(LoadRunCheckpoint(run.path()).status().code(), absl::StatusCode::kDataLoss);
}

// A run that goes on from step 1 does not come back to the step 3 it had before.
TEST(RunCheckpoint, AnEarlierStartGivesLaterOnesUp) {
  const TempFolder run;
  for (int64_t step : {1, 2, 3}) ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(step)).ok());
  ASSERT_TRUE(SetLatest(run.path(), 1).ok());
  EXPECT_EQ(LoadRunCheckpoint(run.path())->state.step, 1);
  RunCheckpoint other = At(2);
  other.weights = {{"unet.w", View(20)}};
  ASSERT_TRUE(SaveRunCheckpoint(run.path(), other).ok());
  EXPECT_EQ(First(*LoadRunCheckpoint(run.path())), 20);
  ASSERT_TRUE(KeepLast(run.path(), 5).ok());
  EXPECT_THAT(Steps(run.path()), ElementsAre(2, 1));
}

// A file system that cannot exchange two folders keeps the old checkpoint aside for a moment.
TEST(RunCheckpoint, WhatAKilledProcessLeftIsGoneOrBack) {
  const TempFolder run;
  for (int64_t step : {1, 2}) ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(step)).ok());
  std::filesystem::rename(run.In("checkpoints/step-000000002"),
                          run.In("checkpoints/.tmp-step-000000002-old"));
  for (const char* name : {"checkpoints/.tmp-step-000000003-1", "export/.tmp-x", "validation/.tmp-y"})
    std::filesystem::create_directories(run.In(name));
  RemoveLeftovers(run.path());
  EXPECT_THAT(Steps(run.path()), ElementsAre(2, 1));
  EXPECT_EQ(LoadRunCheckpoint(run.path())->state.step, 2);
  for (const char* folder : {"export", "validation"}) EXPECT_TRUE(std::filesystem::is_empty(run.In(folder)));
}

// Every call that writes fails once, with a full disk: what was there is whole, and the next save works.
TEST(RunCheckpoint, AFullDiskLeavesTheLastOne) {
  int failures = 0;
  for (int call = 1;; ++call) {
    const TempFolder run;
    ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(1)).ok());
    bool failed = false, saved = false;
    {
      const FailingDisk disk(call, ENOSPC);
      saved = SaveRunCheckpoint(run.path(), At(2)).ok();
      failed = FailingDisk::failed();
    }
    const auto loaded = LoadRunCheckpoint(run.path());
    ASSERT_TRUE(loaded.ok()) << "call " << call << ": " << loaded.status();
    if (!saved) {
      EXPECT_EQ(First(*loaded), static_cast<float>(loaded->state.step));
    }
    ASSERT_TRUE(SaveRunCheckpoint(run.path(), At(2)).ok()) << "call " << call;
    EXPECT_EQ(LoadRunCheckpoint(run.path())->state.step, 2);
    if (!failed) break;
    failures += saved ? 0 : 1;
  }
  EXPECT_GT(failures, 10);
}

}  // namespace
}  // namespace ip2p
