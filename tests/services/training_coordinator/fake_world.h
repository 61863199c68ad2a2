// The coordinator's outside world, in memory: a store that can stop like a killed process, workers that do as
// a test says and outlive a coordinator, a clock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/job_moves.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {

// What is written outlives the coordinators; each is given a FakeStore of its own over it.
struct Disk {
  std::map<std::string, Job> jobs;
  std::map<std::pair<std::string, int64_t>, CheckpointRecord> checkpoints;
  int writes = 0;
  int stop_after = -1;  // writes; then this process writes no more
  bool dead = false;
  absl::Status refusal;  // of every write, while not OK
};

class FakeStore final : public JobStore {
 public:
  explicit FakeStore(Disk* disk) : disk_(disk) {}

  absl::StatusOr<StoredState> Load() override {
    StoredState state;
    for (const auto& [id, job] : disk_->jobs) state.jobs.push_back(job);
    for (const auto& [key, checkpoint] : disk_->checkpoints) state.checkpoints.push_back(checkpoint);
    return state;
  }
  absl::Status Write(const StoreChange& change) override {
    if (disk_->dead) return absl::UnavailableError("this process is dead");
    if (!disk_->refusal.ok()) return disk_->refusal;
    if (change.job) {
      const auto old = disk_->jobs.find(change.job->id);
      if (old != disk_->jobs.end() && old->second.state != change.job->state) {
        EXPECT_TRUE(IsLegalMove(old->second.state, change.job->state))
            << StateName(old->second.state) << " to " << StateName(change.job->state);
      }
      disk_->jobs[change.job->id] = *change.job;
    }
    for (const CheckpointRecord& added : change.checkpoints) {
      disk_->checkpoints[{added.job_id, added.step}] = added;
    }
    for (const auto& key : change.erased_checkpoints) disk_->checkpoints.erase(key);
    if (change.erased_job) disk_->jobs.erase(*change.erased_job);
    disk_->dead = ++disk_->writes == disk_->stop_after;
    return absl::OkStatus();
  }

 private:
  Disk* const disk_;
};

// Processes of launches. They outlive coordinators too.
class FakeLauncher final : public Launcher {
 public:
  struct Group {
    LaunchOrder order;
    std::map<int, int> exits;
    bool told_to_stop = false;
    bool AllEnded() const { return exits.size() == static_cast<size_t>(order.world_size); }
  };

  explicit FakeLauncher(const Disk* disk = nullptr) : disk_(disk) {}

  void SetAddress(const std::string& address) override { address_ = address; }
  void Launch(const LaunchOrder& order) override {
    if (dead_stops_launches && disk_ != nullptr && disk_->dead) return;
    EXPECT_EQ(++launches[order.key], 1) << order.key.job_id << " epoch " << order.key.epoch;
    for (const auto& [key, group] : groups) {
      EXPECT_TRUE(key.job_id != order.key.job_id || group.AllEnded()) << "two groups of one job live";
    }
    if (error.ok()) groups[order.key].order = order;
  }
  void Adopt(const LaunchOrder& order) override { adopted.push_back(order.key); }
  LaunchState Look(const LaunchKey& key) override {
    const auto found = groups.find(key);
    if (found == groups.end()) return {.gone = true, .error = error};
    return {.gone = found->second.AllEnded(), .exits = found->second.exits};
  }
  void Stop(const LaunchKey& key, bool kill) override {
    const auto found = groups.find(key);
    if (found == groups.end()) return;
    found->second.told_to_stop = true;
    for (int rank = 0; kill && rank < found->second.order.world_size; ++rank) End(key, rank, 137);
  }
  void Forget(const LaunchKey&) override {}

  void End(const LaunchKey& key, int rank, int code) { groups[key].exits.emplace(rank, code); }

  std::map<LaunchKey, Group> groups;
  std::map<LaunchKey, int> launches;
  std::vector<LaunchKey> adopted;
  absl::Status error;
  bool dead_stops_launches = false;
  std::string address_;

 private:
  const Disk* const disk_;
};

class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() {
    EXPECT_TRUE(folders_.Prepare().ok());
    limits_.slots = {.cpu = 2, .gpu = 1};
  }

  void Open() {
    coordinator_.reset();
    store_ = std::make_unique<FakeStore>(&disk_);
    auto opened = Coordinator::Open(limits_, {.store = store_.get(),
                                              .launcher = &launcher_,
                                              .metrics = &metrics_,
                                              .folders = &folders_,
                                              .mirrors = job_mirrors_,
                                              .clock = &clock_,
                                              .random = [] { return 0.5; }});
    ASSERT_TRUE(opened.ok()) << opened.status();
    coordinator_ = *std::move(opened);
  }
  // The process is killed and starts again.
  void Restart() {
    disk_.dead = false;
    disk_.stop_after = -1;
    Open();
  }
  static JobOrder OrderFor(const std::string& name, int world_size = 1) {
    JobOrder order{.request_id = "request-" + name, .spec = "spec", .spec_digest = "digest"};
    order.plan = {.name = name, .objective = "clip", .world_size = world_size, .max_steps = 100};
    order.plan.max_restarts = 3;
    return order;
  }
  std::string Submit(const std::string& name, int world_size = 1) {
    auto view = coordinator_->Submit(OrderFor(name, world_size));
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? view->job.id : "";
  }
  Job JobOf(const std::string& id) {
    auto view = coordinator_->Get(id);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? view->job : Job();
  }
  JobState StateOf(const std::string& id) { return JobOf(id).state; }
  std::string TokenOf(const std::string& id) const { return folder_.Read("jobs/" + id + "/token"); }
  WorkerId Worker(const std::string& id, int rank = 0) {
    return {.job_id = id, .epoch = JobOf(id).epoch, .rank = rank, .token = TokenOf(id)};
  }
  LaunchKey Key(const std::string& id) { return {id, JobOf(id).epoch}; }
  void Tick(absl::Duration passed = absl::Milliseconds(100)) {
    clock_.Advance(passed);
    coordinator_->Tick();
  }
  // Every rank joins.
  void Form(const std::string& id) {
    const int world = JobOf(id).plan.world_size;
    for (int rank = 0; rank < world; ++rank) {
      ASSERT_TRUE(coordinator_->Join(Worker(id, rank), "host", 1234).ok());
    }
  }
  absl::StatusOr<OrderAt> Beat(const std::string& id, int rank, int64_t step) {
    StepFigures figures{
        .step = step, .loss = 0.5, .step_duration = absl::Milliseconds(500), .samples = 32 * step};
    return coordinator_->Heartbeat(Worker(id, rank), figures);
  }
  void BeatAll(const std::string& id, int64_t step) {
    const int world = JobOf(id).plan.world_size;
    for (int rank = 0; rank < world; ++rank) ASSERT_TRUE(Beat(id, rank, step).ok());
  }
  // Until every rank steps.
  void Run(const std::string& id) {
    Tick();
    Form(id);
    BeatAll(id, 1);
    Tick();
    ASSERT_EQ(StateOf(id), JobState::kRunning);
  }
  void LeaveAll(const std::string& id, Outcome outcome) {
    const int world = JobOf(id).plan.world_size;
    for (int rank = 0; rank < world; ++rank) {
      ASSERT_TRUE(coordinator_->Leave(Worker(id, rank), outcome, "").ok());
      launcher_.End(Key(id), rank, outcome == Outcome::kDone ? kExitDone : kExitStopped);
    }
  }
  absl::Status Record(const std::string& id, int64_t step) {
    return coordinator_->RecordCheckpoint(Worker(id), {.step = step, .size_bytes = 10, .loss = 0.25});
  }

  TempFolder folder_;
  JobFolders folders_{folder_.path()};
  FakeClock clock_{absl::FromUnixSeconds(1'000'000)};
  Disk disk_;
  FakeLauncher launcher_{&disk_};
  TrainingMetrics metrics_;
  CoordinatorLimits limits_;
  const JobMirrors* job_mirrors_ = nullptr;  // none
  std::unique_ptr<FakeStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace ip2p::training_coordinator
