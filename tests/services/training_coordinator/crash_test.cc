// The coordinator is killed after each write of a whole story in turn, before and after it acted on it: every
// acknowledged job ends as its operator wanted, in legal moves only, and no launch happens twice.
#include <functional>

#include "tests/services/training_coordinator/fake_world.h"

namespace ip2p::training_coordinator {
namespace {

using enum JobState;

constexpr int64_t kSteps = 12;
constexpr int kMostTicks = 2000;

// Workers as they should be: each live rank does one thing at a time, and does it again when it fails.
class StoryTest : public CoordinatorTest {
 protected:
  struct RankState {
    bool joined = false;
    bool left = false;
    int64_t step = 0;
  };

  void RunWorkers() {
    for (auto& [key, group] : launcher_.groups) {
      for (int rank = 0; rank < group.order.world_size; ++rank) {
        if (!group.exits.contains(rank)) RunRank(key, rank, ranks_[{key, rank}]);
      }
    }
  }
  void RunRank(const LaunchKey& key, int rank, RankState& state) {
    const WorkerId worker{key.job_id, key.epoch, rank, TokenOf(key.job_id)};
    if (state.left) return launcher_.End(key, rank, kExitDone);
    if (!state.joined) {
      const absl::Status status = coordinator_->Join(worker, "host", 1000 + rank);
      if (absl::IsAborted(status)) return launcher_.End(key, rank, 1);
      const auto group = coordinator_->Group(worker);
      state.joined = group.ok() && group->has_value();
      if (state.joined) state.step = (*group)->resume_step.value_or(0);
      return;
    }
    if (state.step < kSteps) ++state.step;
    const auto order =
        coordinator_->Heartbeat(worker, StepFigures{.step = state.step, .step_duration = absl::Seconds(10)});
    if (absl::IsAborted(order.status())) return launcher_.End(key, rank, 1);
    if (!order.ok()) return;
    if (order->order == Order::kStop) return launcher_.End(key, rank, 1);
    const bool save = order->order == Order::kSave || order->order == Order::kSaveAndStop;
    const bool last = state.step == kSteps;
    if (rank == 0 && ((save && state.step >= order->step) || last)) {
      if (!coordinator_->RecordCheckpoint(worker, {.step = state.step}).ok()) return;
    }
    if (last) {
      state.left = coordinator_->Leave(worker, Outcome::kDone, "").ok();
    } else if (order->order == Order::kSaveAndStop && state.step >= order->step) {
      state.left = coordinator_->Leave(worker, Outcome::kStopped, "").ok();
    }
  }

  // What the operators do, each until it is acknowledged.
  struct Story {
    std::map<std::string, std::string> ids;  // acknowledged, by name
    bool paused = false;
    bool resumed = false;
    bool cancelled = false;
    bool killed = false;
  };
  void Operate() {
    for (const auto& [name, world] : {std::pair{"plain", 1}, {"wide", 2}, {"gone", 1}, {"again", 2}}) {
      if (story_.ids.contains(name)) continue;
      const auto view = coordinator_->Submit(OrderFor(name, world));
      if (!view.ok()) return;
      story_.ids[name] = view->job.id;
    }
    const std::string gone = story_.ids.at("gone");
    story_.cancelled = story_.cancelled || coordinator_->Cancel(gone, false).ok();
    const Job again = coordinator_->Get(story_.ids.at("again"))->job;
    if (!story_.paused && again.state == kRunning) coordinator_->Pause(again.id).IgnoreError();
    story_.paused = story_.paused || again.state == kPaused;
    if (story_.paused && again.state == kPaused) coordinator_->Resume(again.id, std::nullopt).IgnoreError();
    const Job wide = coordinator_->Get(story_.ids.at("wide"))->job;
    if (!story_.killed && wide.state == kRunning && wide.figures && wide.figures->step > 4) {
      launcher_.End({wide.id, wide.epoch}, 1, 137);
      story_.killed = true;
    }
  }
  bool Over() {
    if (story_.ids.size() < 4) return false;
    for (const auto& [name, id] : story_.ids) {
      if (!IsFinal(StateOf(id)) || JobOf(id).launched) return false;
    }
    return true;
  }

  // Returns whether the crash happened.
  bool Play(int stop_after, bool before_acting) {
    launcher_.dead_stops_launches = before_acting;
    disk_.stop_after = stop_after;
    Open();
    bool crashed = false;
    for (int i = 0; i < kMostTicks && !Over(); ++i) {
      if (disk_.dead) {
        crashed = true;
        Restart();
      }
      Operate();
      if (!disk_.dead) Tick(absl::Milliseconds(900));
      if (!disk_.dead) RunWorkers();
    }
    EXPECT_TRUE(Over()) << "killed after write " << stop_after;
    for (const auto& [name, id] : story_.ids) {
      EXPECT_EQ(StateOf(id), name == std::string("gone") ? kCancelled : kSucceeded)
          << name << ", killed after write " << stop_after << ": " << JobOf(id).error;
      EXPECT_LE(JobOf(id).restarts, 1) << "a coordinator's death is no rank's";
    }
    return crashed;
  }

  Story story_;
  std::map<std::pair<LaunchKey, int>, RankState> ranks_;
};

TEST_F(StoryTest, Undisturbed) {
  EXPECT_FALSE(Play(-1, false));
  EXPECT_TRUE(story_.paused && story_.killed && story_.cancelled);
  EXPECT_GT(disk_.writes, 30);
}

// One more story a round: each has a world of its own.
class CrashTest : public ::testing::TestWithParam<bool> {};

class OneStory : public StoryTest {
 public:
  void TestBody() override {}
  using StoryTest::Play;
};

TEST_P(CrashTest, KilledAfterEachWrite) {
  int crashes = 0;
  for (int k = 1; k < 200; ++k) {
    OneStory story;
    if (!story.Play(k, GetParam())) break;
    ++crashes;
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(crashes, 30);
}

INSTANTIATE_TEST_SUITE_P(AfterAndBeforeActing, CrashTest, ::testing::Bool());

}  // namespace
}  // namespace ip2p::training_coordinator
