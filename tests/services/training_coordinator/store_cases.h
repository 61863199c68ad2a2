// What every store must do, for tests of each.
#pragma once

#include <limits>

#include "gtest/gtest.h"
#include "services/training_coordinator/job_store.h"

namespace ip2p::training_coordinator {

// Every field away from its default.
inline Job FullJob(const std::string& id, int64_t number) {
  Job job{.id = id, .number = number, .request_id = "request-" + id, .spec = std::string("\0\xff spec", 7)};
  job.spec_digest = "digest";
  job.token_digest = "token digest";
  job.plan = {"name", "clip", 3, 4, true, 5, 1000, 2};
  job.state = JobState::kRunning;
  job.wish = Wish::kPause;
  job.error = "an \"error\" \n";
  job.restarts = 2;
  job.fruitless_restarts = 1;
  job.queue_order = 7;
  job.not_before = absl::FromUnixMicros(1'000'001);
  job.create_time = absl::FromUnixMicros(2'000'002);
  job.start_time = absl::FromUnixMicros(3'000'003);
  job.finish_time = absl::FromUnixMicros(4'000'004);
  StepFigures& figures = job.figures.emplace();
  figures = {.step = 9, .loss = 0.1, .learning_rate = 1e-4, .grad_norm = 2.5};
  figures.step_duration = absl::Milliseconds(12);
  figures.data_wait_share = 0.25;
  figures.samples = 288;
  figures.remaining = absl::Seconds(99);
  figures.validation = ValidationFigures{8, 0.2, 0.3, std::nullopt};
  job.epoch = 6;
  job.launched = true;
  job.slots = {4, 5, 6};
  job.resume_step = 5;
  job.from_step = 0;
  job.store_host = "host";
  job.store_port = 1234;
  job.save_at = 17;
  job.ends = {{1, Outcome::kFatal, "why"}};
  return job;
}

inline CheckpointRecord FullCheckpoint(const std::string& job_id, int64_t step) {
  return {job_id,    step, absl::FromUnixMicros(5'000'005), 123, 0.5, ValidationFigures{3, 0.4, 0.5, 0.6},
          {"a", "b"}};
}

inline void KeepsEverything(JobStore& store) {
  const Job first = FullJob("first", 1);
  Job second{.id = "second", .number = 2, .request_id = "r2"};
  ASSERT_TRUE(store.Write({.job = second, .checkpoints = {FullCheckpoint("second", 5)}}).ok());
  ASSERT_TRUE(
      store.Write({.job = first, .checkpoints = {FullCheckpoint("first", 1), FullCheckpoint("first", 2)}})
          .ok());
  second.state = JobState::kCancelled;
  ASSERT_TRUE(store.Write({.job = second}).ok());
  auto state = store.Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->jobs.size(), 2);
  EXPECT_TRUE(state->jobs[0] == first);
  EXPECT_TRUE(state->jobs[1] == second);
  ASSERT_EQ(state->checkpoints.size(), 3);
  EXPECT_TRUE(state->checkpoints[0] == FullCheckpoint("first", 1));

  ASSERT_TRUE(store.Write({.erased_checkpoints = {{"first", 1}}, .erased_job = "second"}).ok());
  state = store.Load();
  ASSERT_EQ(state->jobs.size(), 1);
  ASSERT_EQ(state->checkpoints.size(), 1) << "a job takes its checkpoints along";
  EXPECT_EQ(state->checkpoints[0].step, 2);
}

// All or nothing.
inline void RefusesAsAWhole(JobStore& store) {
  Job job{.id = "one", .number = 1, .request_id = "r"};
  ASSERT_TRUE(store.Write({.job = job}).ok());
  Job other{.id = "other", .number = 2, .request_id = "r"};
  EXPECT_FALSE(store.Write({.job = other}).ok()) << "a request id is used once";
  job.restarts = 3;
  EXPECT_FALSE(store.Write({.job = job, .checkpoints = {FullCheckpoint("nobody", 1)}}).ok());
  const auto state = store.Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->jobs.size(), 1);
  EXPECT_EQ(state->jobs[0].restarts, 0);
}

}  // namespace ip2p::training_coordinator
