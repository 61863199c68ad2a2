// A job's way through its states, on a clock that stands still.
#include "gmock/gmock.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/services/training_coordinator/fake_world.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum JobState;

TEST_F(CoordinatorTest, FromSubmissionToSuccess) {
  Open();
  const std::string id = Submit("a", 2);
  EXPECT_EQ(StateOf(id), kQueued);
  EXPECT_EQ(coordinator_->Get(id)->queue_position, 1);
  Tick();
  EXPECT_EQ(StateOf(id), kStarting);
  const FakeLauncher::Group& group = launcher_.groups.at(Key(id));
  EXPECT_EQ(group.order.world_size, 2);
  EXPECT_THAT(group.order.slots, ElementsAre(0, 1));

  ASSERT_TRUE(coordinator_->Join(Worker(id, 1), "host-1", 0).ok());
  EXPECT_FALSE(coordinator_->Group(Worker(id, 1))->has_value()) << "rank 0 is awaited";
  ASSERT_TRUE(coordinator_->Join(Worker(id, 0), "host-0", 4321).ok());
  const auto info = coordinator_->Group(Worker(id, 1));
  ASSERT_TRUE(info.ok() && info->has_value());
  EXPECT_EQ((*info)->store_host, "host-0");
  EXPECT_EQ((*info)->store_port, 4321);
  EXPECT_FALSE((*info)->resume_step.has_value());

  ASSERT_TRUE(Beat(id, 0, 1).ok());
  Tick();
  EXPECT_EQ(StateOf(id), kStarting) << "rank 1 has not reported a step";
  ASSERT_TRUE(Beat(id, 1, 1).ok());
  Tick();
  EXPECT_EQ(StateOf(id), kRunning);
  EXPECT_EQ(JobOf(id).figures->step, 1);
  EXPECT_EQ(JobOf(id).start_time, clock_.Now());

  LeaveAll(id, Outcome::kDone);
  Tick();
  EXPECT_EQ(StateOf(id), kSucceeded);
  EXPECT_FALSE(JobOf(id).launched);
  EXPECT_EQ(disk_.jobs.at(id).state, kSucceeded);
}

TEST_F(CoordinatorTest, TheSameRequestIsTheSameJob) {
  Open();
  const std::string id = Submit("a");
  EXPECT_EQ(Submit("a"), id);
  JobOrder other = OrderFor("a");
  other.spec_digest = "another";
  EXPECT_TRUE(absl::IsAlreadyExists(coordinator_->Submit(other).status()));
  Restart();
  EXPECT_EQ(Submit("a"), id);
}

TEST_F(CoordinatorTest, AFullQueueRefuses) {
  limits_.queue_limit = 1;
  Open();
  Submit("a");
  EXPECT_TRUE(absl::IsResourceExhausted(coordinator_->Submit(OrderFor("b")).status()));
}

TEST_F(CoordinatorTest, AStoreThatFailsChangesNothing) {
  Open();
  const std::string id = Submit("a");
  disk_.refusal = absl::ResourceExhaustedError("the disk is full");
  EXPECT_TRUE(absl::IsUnavailable(coordinator_->Submit(OrderFor("b")).status()));
  EXPECT_TRUE(absl::IsUnavailable(coordinator_->Cancel(id, false).status()));
  Tick();
  EXPECT_EQ(StateOf(id), kQueued);
  EXPECT_TRUE(launcher_.launches.empty()) << "launched without a durable intent";
  disk_.refusal = absl::OkStatus();
  Tick();
  EXPECT_EQ(StateOf(id), kStarting);
  EXPECT_TRUE(coordinator_->fatal().ok());
  disk_.refusal = absl::AbortedError("nobody knows");
  EXPECT_TRUE(absl::IsUnavailable(coordinator_->Cancel(id, false).status()));
  EXPECT_FALSE(coordinator_->fatal().ok());
}

TEST_F(CoordinatorTest, ASilentRankRestartsTheGroupFromTheLastCheckpoint) {
  Open();
  const std::string id = Submit("a", 2);
  Run(id);
  ASSERT_TRUE(Record(id, 5).ok());
  for (int i = 0; i < 35; ++i) {
    ASSERT_TRUE(Beat(id, 0, 6).ok());
    Tick();
  }
  EXPECT_EQ(StateOf(id), kRestarting) << "3.5 s of silence";
  EXPECT_EQ(JobOf(id).restarts, 1);
  EXPECT_EQ(Beat(id, 0, 7)->order, Order::kStop);
  const LaunchKey old = Key(id);
  EXPECT_TRUE(launcher_.groups.at(old).told_to_stop);
  Tick(absl::Seconds(1));
  EXPECT_EQ(StateOf(id), kRestarting) << "its workers still live";
  launcher_.End(old, 0, 75);
  for (int i = 0; i < 60 && StateOf(id) == kRestarting; ++i) Tick();
  EXPECT_EQ(StateOf(id), kStarting);
  EXPECT_EQ(launcher_.groups.at(old).exits.at(1), 137) << "ended after the grace";
  EXPECT_EQ(JobOf(id).epoch, 2);
  Form(id);
  EXPECT_EQ((*coordinator_->Group(Worker(id)))->resume_step, 5);

  WorkerId replaced = Worker(id);
  replaced.epoch = 1;
  EXPECT_TRUE(absl::IsAborted(coordinator_->Heartbeat(replaced, {}).status()));
  EXPECT_TRUE(absl::IsAborted(coordinator_->RecordCheckpoint(replaced, {.step = 9})));
  EXPECT_TRUE(absl::IsAborted(coordinator_->Join(replaced, "host", 1)));
}

TEST_F(CoordinatorTest, ADeadProcessIsNoticedAtOnce) {
  Open();
  const std::string id = Submit("a", 2);
  Run(id);
  launcher_.End(Key(id), 1, 137);
  Tick();
  EXPECT_EQ(StateOf(id), kRestarting);
}

TEST_F(CoordinatorTest, RestartsAreUsedUpInTheEnd) {
  Open();
  const std::string id = Submit("a");
  for (int i = 0; i < 200 && !IsFinal(StateOf(id)); ++i) {
    Tick(absl::Milliseconds(900));
    if (StateOf(id) == kStarting) launcher_.End(Key(id), 0, 1);
  }
  EXPECT_EQ(StateOf(id), kFailed);
  EXPECT_EQ(JobOf(id).restarts, 3);
  EXPECT_EQ(JobOf(id).epoch, 4);
  EXPECT_EQ(JobOf(id).error, "rank 0 ended with exit code 1; 3 restarts are used up (max_restarts)");
}

TEST_F(CoordinatorTest, AFatalWordFailsTheJobAndKeepsItsCheckpoint) {
  Open();
  const std::string id = Submit("a");
  Run(id);
  ASSERT_TRUE(Record(id, 5).ok());
  ASSERT_TRUE(coordinator_->Leave(Worker(id), Outcome::kFatal, "the loss is not a number, ten times").ok());
  Tick();
  EXPECT_EQ(StateOf(id), kFailed);
  EXPECT_THAT(JobOf(id).error, HasSubstr("ten times"));
  EXPECT_EQ(coordinator_->Checkpoints(id)->size(), 1);
}

TEST_F(CoordinatorTest, TheFaultMayBeHeardAfterItsEffect) {
  Open();
  const std::string id = Submit("a", 2);
  Run(id);
  ASSERT_TRUE(coordinator_->Leave(Worker(id, 0), Outcome::kRetryable, "a peer was lost").ok());
  Tick();
  EXPECT_EQ(StateOf(id), kRestarting);
  ASSERT_TRUE(coordinator_->Leave(Worker(id, 1), Outcome::kFatal, "the dataset is missing").ok());
  Tick();
  EXPECT_EQ(StateOf(id), kFailed);
  EXPECT_THAT(JobOf(id).error, HasSubstr("the dataset is missing"));
}

TEST_F(CoordinatorTest, WhatCannotBeLaunchedFailsOrWaits) {
  Open();
  const std::string id = Submit("a");
  launcher_.error = absl::PermissionDeniedError("forbidden");
  Tick();
  Tick();
  EXPECT_EQ(StateOf(id), kFailed);
  EXPECT_THAT(JobOf(id).error, HasSubstr("the workers can't be launched: forbidden"));
  const std::string other = Submit("b");
  launcher_.error = absl::UnavailableError("busy");
  Tick();
  Tick();
  EXPECT_EQ(StateOf(other), kRestarting);
}

TEST_F(CoordinatorTest, PauseSavesStopsAndFreesTheSlots) {
  Open();
  const std::string id = Submit("a", 2);
  const std::string next = Submit("b", 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(coordinator_->Pause(id).status()));
  Run(id);
  ASSERT_TRUE(coordinator_->Pause(id).ok());
  EXPECT_EQ(StateOf(id), kRunning);
  const OrderAt first = *Beat(id, 0, 2);
  const OrderAt second = *Beat(id, 1, 1);
  EXPECT_EQ(first.order, Order::kSaveAndStop);
  EXPECT_EQ(first.step, second.step) << "all ranks stop after one step";
  EXPECT_GT(first.step, 2);
  ASSERT_TRUE(Record(id, first.step).ok());
  LeaveAll(id, Outcome::kStopped);
  Tick();
  EXPECT_EQ(StateOf(id), kPaused);
  Tick();
  EXPECT_EQ(StateOf(next), kStarting);

  ASSERT_TRUE(coordinator_->Resume(id, std::nullopt).ok());
  EXPECT_EQ(StateOf(id), kQueued);
  ASSERT_TRUE(coordinator_->Cancel(next, false).ok());
  launcher_.End(Key(next), 0, 143);
  launcher_.End(Key(next), 1, 143);
  Tick();
  Tick();
  EXPECT_EQ(StateOf(id), kStarting);
  EXPECT_EQ(JobOf(id).resume_step, first.step);
}

TEST_F(CoordinatorTest, APauseThatLosesARankIsAPause) {
  Open();
  const std::string id = Submit("a", 2);
  Run(id);
  ASSERT_TRUE(coordinator_->Pause(id).ok());
  launcher_.End(Key(id), 0, 137);
  Tick();
  EXPECT_EQ(StateOf(id), kPaused);
}

TEST_F(CoordinatorTest, ResumingFromAnOlderStepCountsFromThere) {
  Open();
  const std::string id = Submit("a");
  Run(id);
  for (const int64_t step : {10, 20, 30}) {
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(Record(id, step).ok());
  }
  ASSERT_TRUE(coordinator_->Pause(id).ok());
  LeaveAll(id, Outcome::kStopped);
  Tick();
  EXPECT_TRUE(absl::IsNotFound(coordinator_->Resume(id, 15).status()));
  ASSERT_TRUE(coordinator_->Resume(id, 10).ok());
  Run(id);
  EXPECT_EQ(JobOf(id).resume_step, 10);
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Record(id, 20).ok());
  EXPECT_EQ(coordinator_->FindCheckpoint(id, std::nullopt)->step, 20) << "not 30, which is of another past";
}

TEST_F(CoordinatorTest, SavesAreOrderedOnceAndFound) {
  Open();
  const std::string id = Submit("a", 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(coordinator_->OrderSave(id).status()));
  Run(id);
  const int64_t step = *coordinator_->OrderSave(id);
  EXPECT_EQ(*coordinator_->OrderSave(id), step);
  EXPECT_FALSE(coordinator_->FindSaved(id, step)->has_value());
  EXPECT_EQ(Beat(id, 0, 2)->order, Order::kSave);
  EXPECT_EQ(Beat(id, 1, 2)->step, step);
  ASSERT_TRUE(Record(id, step).ok());
  EXPECT_EQ((*coordinator_->FindSaved(id, step))->step, step);
  EXPECT_EQ(Beat(id, 0, step)->order, Order::kNone);
}

TEST_F(CoordinatorTest, ASaveEndsWithItsGroup) {
  Open();
  const std::string id = Submit("a");
  Run(id);
  const int64_t step = *coordinator_->OrderSave(id);
  launcher_.End(Key(id), 0, 1);
  Tick();
  EXPECT_TRUE(absl::IsUnavailable(coordinator_->FindSaved(id, step).status()));
}

TEST_F(CoordinatorTest, CancelIsForGood) {
  Open();
  const std::string queued = Submit("queued");
  ASSERT_TRUE(coordinator_->Cancel(queued, true).ok());
  EXPECT_EQ(StateOf(queued), kCancelled);
  EXPECT_TRUE(coordinator_->Cancel(queued, false).ok()) << "again is no error";
  const std::string id = Submit("a");
  Run(id);
  ASSERT_TRUE(coordinator_->Cancel(id, true).ok());
  EXPECT_EQ(StateOf(id), kRunning) << "until it has saved";
  EXPECT_EQ(Beat(id, 0, 2)->order, Order::kSaveAndStop);
  LeaveAll(id, Outcome::kStopped);
  Tick();
  EXPECT_EQ(StateOf(id), kCancelled);
  EXPECT_TRUE(absl::IsFailedPrecondition(coordinator_->Resume(id, {}).status()));
}

TEST_F(CoordinatorTest, WorkersShowTheirToken) {
  Open();
  const std::string id = Submit("a");
  Tick();
  WorkerId worker = Worker(id);
  worker.token = "guess";
  EXPECT_TRUE(absl::IsPermissionDenied(coordinator_->Join(worker, "host", 1)));
  worker = Worker(id);
  worker.rank = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(coordinator_->Join(worker, "host", 1)));
  worker.job_id = "nobody";
  EXPECT_TRUE(absl::IsNotFound(coordinator_->Join(worker, "host", 1)));
  EXPECT_EQ(disk_.jobs.at(id).token_digest.find(TokenOf(id)), std::string::npos)
      << "the store knows no token";
}

TEST_F(CoordinatorTest, ARankThatComesTwiceIsRefusedOnceTheGroupSteps) {
  Open();
  const std::string id = Submit("a");
  Tick();
  Form(id);
  EXPECT_TRUE(coordinator_->Join(Worker(id), "host", 1).ok()) << "its answer was lost";
  ASSERT_TRUE(Beat(id, 0, 1).ok());
  EXPECT_TRUE(absl::IsAborted(coordinator_->Join(Worker(id), "host", 1)));
}

TEST_F(CoordinatorTest, APauseOfTheCoordinatorIsNotHeldAgainstTheRanks) {
  Open();
  const std::string id = Submit("a");
  Run(id);
  Tick(absl::Minutes(1));
  EXPECT_EQ(StateOf(id), kRunning);
  for (int i = 0; i < 40; ++i) Tick();
  EXPECT_EQ(StateOf(id), kRestarting);
}

TEST_F(CoordinatorTest, AfterARestartWorkersAreFoundAgain) {
  Open();
  const std::string id = Submit("a", 2);
  Run(id);
  ASSERT_TRUE(Record(id, 5).ok());
  Restart();
  EXPECT_THAT(launcher_.adopted, ElementsAre(Key(id)));
  EXPECT_EQ(StateOf(id), kRunning);
  for (int i = 0; i < 100; ++i) Tick();  // within the grace
  EXPECT_EQ(StateOf(id), kRunning);
  BeatAll(id, 7);
  for (int i = 0; i < 20; ++i) Tick();
  EXPECT_EQ(StateOf(id), kRunning);
  EXPECT_EQ(coordinator_->Checkpoints(id)->size(), 1);
  LeaveAll(id, Outcome::kDone);
  Tick();
  EXPECT_EQ(StateOf(id), kSucceeded);
  EXPECT_EQ(launcher_.launches.size(), 1);
}

TEST_F(CoordinatorTest, ALaunchThatNeverCameCostsNoRestart) {
  launcher_.dead_stops_launches = true;
  Open();
  const std::string id = Submit("a");
  disk_.stop_after = disk_.writes + 1;
  Tick();
  EXPECT_TRUE(launcher_.launches.empty());
  Restart();
  EXPECT_EQ(StateOf(id), kStarting);
  for (int i = 0; i < 3; ++i) Tick();
  EXPECT_EQ(StateOf(id), kStarting);
  EXPECT_EQ(JobOf(id).epoch, 2);
  EXPECT_EQ(JobOf(id).restarts, 0);
}

TEST_F(CoordinatorTest, OldCheckpointsAreForgotten) {
  Open();
  JobOrder order = OrderFor("a");
  order.plan.keep_checkpoints = 2;
  const std::string id = coordinator_->Submit(order)->job.id;
  Run(id);
  ASSERT_TRUE(Record(id, 10).ok());
  ASSERT_TRUE(coordinator_->NotePromotion(id, 10, "default").ok());
  for (const int64_t step : {20, 30, 40}) ASSERT_TRUE(Record(id, step).ok());
  std::vector<int64_t> steps;
  const auto left = coordinator_->Checkpoints(id);
  for (const CheckpointRecord& checkpoint : *left) steps.push_back(checkpoint.step);
  EXPECT_THAT(steps, ElementsAre(40, 30, 10));
}

TEST_F(CoordinatorTest, EachJobHasAMirrorThatGoesWithIt) {
  FakeObjectStore::Objects objects;
  absl::Mutex mutex;
  absl::Status fault;
  FakeObjectStore store(&objects, &mutex, [&fault](const std::string&, const std::string&) { return fault; });
  const JobMirrors mirrors(&store, {"bucket", "runs/"});
  Open();
  const std::string id = Submit("a");
  Tick();
  Form(id);
  EXPECT_EQ((*coordinator_->Group(Worker(id)))->mirror, "");
  job_mirrors_ = &mirrors;
  Restart();  // a job that began without one
  EXPECT_EQ((*coordinator_->Group(Worker(id)))->mirror, "s3://bucket/runs/" + id);

  ASSERT_TRUE(coordinator_->Cancel(id, false).ok());
  EXPECT_FALSE(*coordinator_->Delete(id)) << "its workers are not gone yet";
  launcher_.End(Key(id), 0, kExitStopped);
  Tick();
  objects["bucket/runs/" + id + "/metrics.jsonl"] = "lines";
  fault = absl::UnavailableError("away");
  EXPECT_TRUE(absl::IsUnavailable(coordinator_->Delete(id).status()));
  EXPECT_TRUE(coordinator_->Get(id).ok()) << "to be deleted again";
  fault = absl::OkStatus();
  ASSERT_TRUE(*coordinator_->Delete(id));
  EXPECT_TRUE(objects.empty());
  EXPECT_TRUE(absl::IsNotFound(coordinator_->Get(id).status()));
  coordinator_.reset();
}

TEST_F(CoordinatorTest, DeleteForgetsTheJobButNotWhatIsPinned) {
  Open();
  const std::string id = Submit("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(coordinator_->Delete(id).status()));
  ASSERT_TRUE(coordinator_->Cancel(id, false).ok());
  std::filesystem::create_directories(folders_.Checkpoint(id, 10));
  std::filesystem::create_directories(folders_.Checkpoint(id, 20));
  ASSERT_TRUE(folders_.Pin(id, 10).ok());
  ASSERT_TRUE(*coordinator_->Delete(id));
  EXPECT_TRUE(absl::IsNotFound(coordinator_->Get(id).status()));
  EXPECT_TRUE(disk_.jobs.empty());
  EXPECT_TRUE(std::filesystem::exists(folders_.Checkpoint(id, 10)));
  EXPECT_FALSE(std::filesystem::exists(folders_.Checkpoint(id, 20)));
  EXPECT_FALSE(std::filesystem::exists(folders_.TokenFile(id)));
}

TEST_F(CoordinatorTest, ListsInPagesNewestFirst) {
  Open();
  for (const char* name : {"a", "b", "c"}) Submit(name);
  JobPage page = coordinator_->List({.limit = 2});
  ASSERT_EQ(page.jobs.size(), 2);
  EXPECT_EQ(page.jobs[0].job.plan.name, "c");
  ASSERT_TRUE(page.before.has_value());
  page = coordinator_->List({.limit = 2, .before = *page.before});
  ASSERT_EQ(page.jobs.size(), 1);
  EXPECT_EQ(page.jobs[0].job.plan.name, "a");
  EXPECT_FALSE(page.before.has_value());
  EXPECT_TRUE(coordinator_->List({.states = {kRunning}}).jobs.empty());
}

}  // namespace
}  // namespace ip2p::training_coordinator
