// Moves and decisions: nothing but values.
#include "services/training_coordinator/decisions.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum JobState;

constexpr JobState kAll[] = {kQueued, kStarting,  kRunning, kRestarting,
                             kPaused, kSucceeded, kFailed,  kCancelled};

TEST(JobMovesTest, EveryMoveIsLegalOrNotAsTheContractSays) {
  // job.proto, word by word.
  const std::set<std::pair<JobState, JobState>> legal = {
      {kQueued, kStarting},   {kQueued, kCancelled},     {kStarting, kRunning},  {kStarting, kRestarting},
      {kStarting, kFailed},   {kStarting, kCancelled},   {kRunning, kPaused},    {kRunning, kRestarting},
      {kRunning, kSucceeded}, {kRunning, kFailed},       {kRunning, kCancelled}, {kRestarting, kStarting},
      {kRestarting, kFailed}, {kRestarting, kCancelled}, {kPaused, kQueued},     {kPaused, kCancelled}};
  for (const JobState from : kAll) {
    for (const JobState to : kAll) {
      EXPECT_EQ(IsLegalMove(from, to), legal.contains({from, to}))
          << StateName(from) << " to " << StateName(to);
    }
    EXPECT_EQ(IsFinal(from), from == kSucceeded || from == kFailed || from == kCancelled) << StateName(from);
  }
}

Job Waiting(const std::string& id, int64_t order, int world_size, bool gpu = false) {
  Job job{.id = id, .queue_order = order};
  job.plan.world_size = world_size;
  job.plan.gpu = gpu;
  return job;
}

Job Running(const std::string& id, std::vector<int> slots, bool gpu = false) {
  Job job = Waiting(id, 0, static_cast<int>(slots.size()), gpu);
  job.state = kRunning;
  job.launched = true;
  job.slots = std::move(slots);
  return job;
}

TEST(NextToStartTest, FirstComeFirstServedAndNobodyOvertakes) {
  const SlotCounts slots{.cpu = 3};
  const Job running = Running("running", {0});
  const Job large = Waiting("large", 1, 3);
  const Job small = Waiting("small", 2, 1);
  EXPECT_EQ(NextToStart({&running, &small, &large}, slots, absl::Now()), std::nullopt);
  EXPECT_EQ(NextToStart({&small, &large}, slots, absl::Now()), "large");
  EXPECT_EQ(NextToStart({&running, &small}, slots, absl::Now()), "small");
  EXPECT_EQ(QueuePosition({&running, &small, &large}, small), 2);
  EXPECT_EQ(QueuePosition({&running, &small, &large}, running), 0);
}

TEST(NextToStartTest, KindsOfSlotsWaitApart) {
  const Job cpu = Waiting("cpu", 1, 2);
  const Job gpu = Waiting("gpu", 2, 1, true);
  EXPECT_EQ(NextToStart({&cpu, &gpu}, {.cpu = 1, .gpu = 1}, absl::Now()), "gpu");
}

TEST(NextToStartTest, ARestartKeepsItsSlotsAndWaitsOutItsTime) {
  const absl::Time now = absl::FromUnixSeconds(100);
  Job restarting = Running("restarting", {0, 1});
  restarting.state = kRestarting;
  restarting.not_before = now + absl::Seconds(1);
  const Job queued = Waiting("queued", 1, 1);
  EXPECT_EQ(NextToStart({&restarting, &queued}, {.cpu = 2}, now + absl::Seconds(2)), std::nullopt)
      << "its workers may still live";
  restarting.launched = false;
  EXPECT_EQ(NextToStart({&restarting, &queued}, {.cpu = 2}, now), std::nullopt);
  EXPECT_EQ(NextToStart({&restarting, &queued}, {.cpu = 2}, now + absl::Seconds(1)), "restarting");
}

TEST(FreeSlotsTest, HeldAsLongAsWorkersMayLive) {
  Job cancelled = Running("cancelled", {1});
  cancelled.state = kCancelled;
  EXPECT_THAT(FreeSlots({&cancelled}, {.cpu = 3}, false), ElementsAre(0, 2));
  cancelled.launched = false;
  EXPECT_THAT(FreeSlots({&cancelled}, {.cpu = 3}, false), ElementsAre(0, 1, 2));
  EXPECT_THAT(FreeSlots({&cancelled}, {.cpu = 3}, true), IsEmpty());
}

class JudgeTest : public ::testing::Test {
 protected:
  JudgeTest() {
    group_.launched = now_;
    group_.ranks.resize(2);
  }
  void Join() {
    group_.formed = true;
    for (RankView& rank : group_.ranks) rank = {.joined = true, .heard = now_};
  }
  Judgement After(absl::Duration time) { return JudgeGroup(group_, {}, now_ + time); }
  static RankEnd End(Outcome outcome, const std::string& message = "") { return {0, outcome, message}; }

  const absl::Time now_ = absl::FromUnixSeconds(100);
  GroupView group_;
};

TEST_F(JudgeTest, WaitsForRanksToJoinButNotForEver) {
  EXPECT_EQ(After(absl::Minutes(5)).verdict, Verdict::kGoOn);
  EXPECT_EQ(After(absl::Minutes(6)).verdict, Verdict::kLost);
  EXPECT_THAT(After(absl::Minutes(6)).reason, HasSubstr("rank 0 did not join within 5m"));
}

TEST_F(JudgeTest, ASilentRankIsLostAfterThreeHeartbeats) {
  Join();
  EXPECT_EQ(After(absl::Seconds(3)).verdict, Verdict::kGoOn);
  group_.ranks[0].heard = now_ + absl::Seconds(3);
  EXPECT_EQ(After(absl::Milliseconds(3200)).verdict, Verdict::kLost);
  EXPECT_EQ(After(absl::Milliseconds(3200)).reason, "rank 1 was silent for 3.2s");
}

TEST_F(JudgeTest, AllStepOnlyWhenAllDo) {
  Join();
  group_.ranks[0].stepped = true;
  EXPECT_EQ(After({}).verdict, Verdict::kGoOn);
  group_.ranks[1].stepped = true;
  EXPECT_EQ(After({}).verdict, Verdict::kAllStep);
}

TEST_F(JudgeTest, EndsByWordOrByExitCode) {
  Join();
  group_.ranks[0].end = End(Outcome::kDone);
  EXPECT_EQ(After({}).verdict, Verdict::kGoOn);
  group_.ranks[1].exit_code = kExitDone;
  EXPECT_EQ(After({}).verdict, Verdict::kDone);
  group_.ranks[1].exit_code = kExitStopped;
  EXPECT_EQ(After({}).verdict, Verdict::kStopped);
  group_.ranks[1].exit_code = 137;
  EXPECT_EQ(After({}).verdict, Verdict::kLost);
  EXPECT_EQ(After({}).reason, "rank 1 was killed by signal 9");
  group_.ranks[1].exit_code = -1;
  EXPECT_EQ(After({}).reason, "rank 1 ended without a word");
  group_.ranks[1].exit_code = kExitFatal;
  EXPECT_EQ(After({}).verdict, Verdict::kHopeless);
}

TEST_F(JudgeTest, TheRankAtFaultCountsMoreThanItsPeers) {
  Join();
  group_.ranks[0].end = End(Outcome::kRetryable, "a peer was lost");
  group_.ranks[1].end = End(Outcome::kFatal, "the loss is not a number");
  EXPECT_EQ(After({}).verdict, Verdict::kHopeless);
  EXPECT_EQ(After({}).reason, "rank 1 left: the loss is not a number");
}

TEST(NextRestartTest, WaitsLongerEachTimeWithoutACheckpointUntilTheyAreUsedUp) {
  const absl::Time now = absl::FromUnixSeconds(100);
  Job job;
  job.plan.max_restarts = 2;
  EXPECT_EQ(NextRestart(job, now, 0), now + absl::Seconds(1));
  job.restarts = job.fruitless_restarts = 1;
  EXPECT_EQ(NextRestart(job, now, 0), now + absl::Seconds(2));
  job.fruitless_restarts = 0;
  EXPECT_EQ(NextRestart(job, now, 0), now + absl::Seconds(1)) << "it got on";
  job.restarts = 2;
  EXPECT_EQ(NextRestart(job, now, 0), std::nullopt);
  job.plan.max_restarts = 100;
  job.fruitless_restarts = 50;
  EXPECT_EQ(NextRestart(job, now, 0), now + absl::Minutes(2));
}

RankView At(int64_t step, absl::Duration duration) {
  RankView rank;
  rank.step = step;
  rank.step_duration = duration;
  return rank;
}

TEST(CommonSaveStepTest, AheadOfWhatAnyRankCanReachBeforeAllHaveHeard) {
  const absl::Duration beat = absl::Seconds(1);
  EXPECT_EQ(CommonSaveStep({At(10, absl::Milliseconds(10)), At(9, absl::Milliseconds(20))}, beat, 10000),
            411);
  EXPECT_EQ(CommonSaveStep({At(10, absl::Seconds(30))}, beat, 10000), 12);
  EXPECT_EQ(CommonSaveStep({At(10, absl::ZeroDuration())}, beat, 10000), 12);
  EXPECT_EQ(CommonSaveStep({At(10, absl::Nanoseconds(1))}, beat, 100), 100) << "the last step saves anyway";
}

TEST(CheckpointsToForgetTest, PromotedOnesDontCount) {
  std::vector<CheckpointRecord> all(4);
  for (int i = 0; i < 4; ++i) all[static_cast<size_t>(i)].step = 40 - 10 * i;
  all[0].promoted_to = {"default"};
  EXPECT_THAT(CheckpointsToForget(all, 2), ElementsAre(10));
  all[3].promoted_to = {"other"};
  EXPECT_THAT(CheckpointsToForget(all, 2), IsEmpty());
}

}  // namespace
}  // namespace ip2p::training_coordinator
