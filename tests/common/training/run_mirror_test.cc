// A run's mirror over objects in memory; against moto: tests/integration/test_training_store.py.
#include "common/training/run_mirror.h"

#include <filesystem>
#include <memory>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/training/export_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TensorView View(float value) {
  const auto floats = std::make_shared<std::vector<float>>(6, value);
  return {.shape = {2, 3}, .data = std::as_bytes(std::span(*floats)), .owner = floats};
}

class RunMirrorTest : public ::testing::Test {
 protected:
  // A machine with a disk of its own.
  struct Machine {
    TempFolder folder;
    std::string run = folder.In("run");
  };

  // What a run leaves at a step.
  static void Save(const Machine& machine, int64_t step, float value) {
    RunCheckpoint checkpoint;
    checkpoint.state.step = checkpoint.state.updates = step;
    checkpoint.state.loss = 0.5;
    checkpoint.state.config_digest = "mine";
    checkpoint.weights["unet.w"] = View(value);
    checkpoint.optimizer["exp_avg.unet.w"] = View(2);
    ASSERT_TRUE(SaveRunCheckpoint(machine.run, checkpoint).ok());
    fs::create_directories(ExportPath(machine.run, step) + "/unet");
    machine.folder.Write("run/export/" + CheckpointName(step) + "/unet/config.json", std::to_string(step));
    machine.folder.Write("run/metrics.jsonl", "lines up to " + std::to_string(step));
  }
  static void Validate(const Machine& machine, int64_t step) {
    const std::string folder = "validation/" + CheckpointName(step);
    fs::create_directories(machine.run + "/" + folder);
    machine.folder.Write("run/" + folder + "/000-edit.png", "picture of " + std::to_string(step));
    machine.folder.Write("run/" + folder + "/metrics.json", "{}");
  }
  std::unique_ptr<RunMirror> Open(const Machine& machine, FakeObjectStore::Fault fault = {}, int keep = 3,
                                  const std::string& digest = "mine") {
    return std::make_unique<RunMirror>(
        std::make_unique<FakeObjectStore>(&objects_, &mutex_, std::move(fault)),
        RunMirrorOptions{
            .run = machine.run, .url = {"data", "runs/a"}, .config_digest = digest, .keep = keep});
  }
  static absl::Status Finish(RunMirror& mirror) {
    return mirror.Finish([] { return true; });
  }
  // Saves and stores.
  void Store(const Machine& machine, RunMirror& mirror, int64_t step) {
    Save(machine, step, static_cast<float>(step));
    mirror.Offer(step);
    const absl::Status stored = Finish(mirror);
    ASSERT_TRUE(stored.ok()) << stored;
  }
  std::vector<std::string> Names(const std::string& below) {
    const absl::MutexLock lock(&mutex_);
    const std::string prefix = "data/runs/a/" + below;
    std::vector<std::string> names;
    for (const auto& [name, bytes] : objects_) {
      if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
    }
    return names;
  }
  std::string& Object(const std::string& name) { return objects_["data/runs/a/" + name]; }
  static float First(const std::string& run) {
    const auto loaded = LoadRunCheckpoint(run);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *reinterpret_cast<const float*>(loaded->weights.at("unet.w").data.data()) : -1;
  }

  FakeObjectStore::Objects objects_;
  absl::Mutex mutex_;
};

TEST_F(RunMirrorTest, AnotherMachineGoesOn) {
  const Machine first, second;
  {
    const auto mirror = Open(first);
    EXPECT_EQ(*mirror->Check(), std::nullopt);
    EXPECT_TRUE(absl::IsNotFound(mirror->Restore({}).status()));
    Store(first, *mirror, 2);
    Store(first, *mirror, 4);
    const std::vector<MirrorReport> reports = mirror->TakeReports();
    ASSERT_EQ(reports.size(), 2);
    EXPECT_EQ(reports[1].step, 4);
    EXPECT_GT(reports[1].bytes, 0);
    EXPECT_THAT(mirror->TakeReports(), IsEmpty());
  }
  EXPECT_THAT(Names("checkpoints/step-000000004/"),
              ElementsAre("optimizer.safetensors", "state.json", "weights.safetensors"));
  EXPECT_EQ(Object("checkpoints/LATEST"), "step-000000004\n");
  EXPECT_EQ(Object("metrics.jsonl"), "lines up to 4");
  EXPECT_EQ(Object("export/step-000000004/unet/config.json"), "4");

  const auto mirror = Open(second);
  EXPECT_EQ(*mirror->Check(), 4);
  EXPECT_EQ(*mirror->Restore({}), 4);
  EXPECT_EQ(First(second.run), 4);
  EXPECT_TRUE(mirror->RestoreRecords().ok());
  EXPECT_EQ(second.folder.Read("run/metrics.jsonl"), "lines up to 4");
  EXPECT_EQ(*mirror->Restore(2), 2) << "as a coordinator orders it";
  EXPECT_TRUE(LoadRunCheckpoint(second.run, 2).ok());
  const absl::Status missing = mirror->Restore(3).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("s3://data/runs/a/checkpoints/step-000000003"));
}

TEST_F(RunMirrorTest, ValidationsGoWithTheNextCheckpointAndComeBack) {
  const Machine first, second;
  std::vector<std::string> sent;
  {
    const auto mirror = Open(first, [&sent](const std::string& verb, const std::string& name) {
      if (verb == "PUT" && name.find("/validation/") != std::string::npos)
        sent.push_back(name.substr(name.rfind("step-")));
      return absl::OkStatus();
    });
    Validate(first, 1);
    Validate(first, 2);
    Store(first, *mirror, 2);
    Validate(first, 4);
    Store(first, *mirror, 4);
  }
  EXPECT_THAT(sent, UnorderedElementsAre("step-000000001/000-edit.png", "step-000000001/metrics.json",
                                         "step-000000002/000-edit.png", "step-000000002/metrics.json",
                                         "step-000000004/000-edit.png", "step-000000004/metrics.json"));
  objects_.erase("data/runs/a/validation/step-000000001/metrics.json");  // was on its way

  fs::create_directories(second.run);
  const auto mirror = Open(second);
  Validate(second, 2);
  second.folder.Write("run/validation/step-000000002/000-edit.png", "its own");
  EXPECT_TRUE(mirror->RestoreRecords().ok());
  EXPECT_EQ(second.folder.Read("run/validation/step-000000004/000-edit.png"), "picture of 4");
  EXPECT_EQ(second.folder.Read("run/validation/step-000000002/000-edit.png"), "its own");
  EXPECT_FALSE(fs::exists(second.run + "/validation/step-000000001"));
}

TEST_F(RunMirrorTest, WhatIsThereIsNotSentAgain) {
  const Machine machine;
  int puts = 0;
  const auto mirror = Open(machine, [&puts](const std::string& verb, const std::string&) {
    puts += verb == "PUT";
    return absl::OkStatus();
  });
  Store(machine, *mirror, 2);
  puts = 0;
  mirror->Offer(2, /*anew=*/false);
  EXPECT_TRUE(Finish(*mirror).ok());
  EXPECT_EQ(puts, 1) << "LATEST";
  EXPECT_EQ(mirror->TakeReports().back().bytes, 0);
  Save(machine, 2, 20);  // the step again, after going back
  mirror->Offer(2, /*anew=*/false);
  EXPECT_TRUE(Finish(*mirror).ok());
  Object("checkpoints/step-000000002/weights.safetensors") = "damaged";
  mirror->Offer(2);  // made anew, it is sent whatever state.json says
  EXPECT_TRUE(Finish(*mirror).ok());
  const Machine other;
  EXPECT_EQ(*Open(other)->Restore({}), 2);
  EXPECT_EQ(First(other.run), 20);
}

// Each request fails once: a reader finds the checkpoint before, or the new one, and never a mixture.
TEST_F(RunMirrorTest, HalfACheckpointIsNone) {
  for (int request = 1;; ++request) {
    objects_.clear();
    const Machine first, second;
    Store(first, *Open(first), 2);
    int count = 0;
    {
      const auto mirror = Open(first, [&](const std::string&, const std::string&) {
        return ++count >= request ? absl::UnavailableError("killed") : absl::OkStatus();
      });
      Save(first, 4, 4);
      mirror->Offer(4);
      Finish(*mirror).IgnoreError();
    }
    const absl::StatusOr<int64_t> restored = Open(second)->Restore({});
    ASSERT_TRUE(restored.ok()) << "request " << request << ": " << restored.status();
    EXPECT_EQ(First(second.run), static_cast<float>(*restored));
    Store(first, *Open(first), 6);  // goes on, and clears away what was left
    EXPECT_EQ(*Open(second)->Check(), 6);
    if (count < request) break;
    ASSERT_LT(request, 100);
  }
}

TEST_F(RunMirrorTest, ADamagedOneIsPassedOver) {
  const Machine first, second;
  {
    const auto mirror = Open(first);
    for (const int64_t step : {2, 4, 6}) Store(first, *mirror, step);
  }
  Object("checkpoints/step-000000006/weights.safetensors").back() ^= 1;
  objects_.erase("data/runs/a/checkpoints/step-000000004/optimizer.safetensors");
  const auto mirror = Open(second);
  EXPECT_EQ(*mirror->Restore({}), 2);
  EXPECT_FALSE(fs::exists(CheckpointPath(second.run, 6)));
  const absl::Status asked_for = mirror->Restore(6).status();
  EXPECT_TRUE(absl::IsDataLoss(asked_for));
  EXPECT_THAT(std::string(asked_for.message()), HasSubstr("weights.safetensors does not have its SHA-256"));
  Object("checkpoints/step-000000002/state.json") = "{";
  EXPECT_TRUE(absl::IsDataLoss(mirror->Restore({}).status()));
}

TEST_F(RunMirrorTest, OneOfOtherSettingsIsRefused) {
  const Machine first, second;
  Store(first, *Open(first), 2);
  const auto mirror = Open(second, {}, 3, "another");
  for (const absl::Status& refused : {mirror->Check().status(), mirror->Restore({}).status()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_THAT(
        std::string(refused.message()),
        HasSubstr("s3://data/runs/a/checkpoints/step-000000002/state.json: config_sha256 is mine; wants "
                  "another"));
  }
  // Nor is anything written there by who could not look before.
  Save(second, 9, 9);
  mirror->Offer(9);
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(*mirror)));
  EXPECT_THAT(Names("checkpoints/step-000000009/"), IsEmpty());
}

TEST_F(RunMirrorTest, KeepsTheNewestAndThePinned) {
  const Machine machine;
  const auto mirror = Open(machine, {}, 2);
  Store(machine, *mirror, 1);
  Object("checkpoints/step-000000001/pinned") = "";
  Object("checkpoints/step-000000007/weights.safetensors") = "half of one";
  Object("notes/step-000000002/mine") = "not the run's";
  for (const int64_t step : {2, 3, 4}) Store(machine, *mirror, step);
  EXPECT_THAT(Names("checkpoints/"),
              ElementsAre("LATEST", "step-000000001/optimizer.safetensors", "step-000000001/pinned",
                          "step-000000001/state.json", "step-000000001/weights.safetensors",
                          "step-000000003/optimizer.safetensors", "step-000000003/state.json",
                          "step-000000003/weights.safetensors", "step-000000004/optimizer.safetensors",
                          "step-000000004/state.json", "step-000000004/weights.safetensors"));
  EXPECT_THAT(Names("export/"),
              ElementsAre("step-000000001/unet/config.json", "step-000000003/unet/config.json",
                          "step-000000004/unet/config.json"));
  EXPECT_THAT(Names("notes/"), ElementsAre("step-000000002/mine"));
  const Machine other;
  EXPECT_EQ(*Open(other)->Restore(1), 1);
  EXPECT_TRUE(ListRunCheckpoints(other.run)->front().pinned);
}

TEST_F(RunMirrorTest, TheNewestWaitsAndOldOnesAreLeftOut) {
  const Machine machine;
  absl::Notification begun, go_on;
  const auto mirror = Open(machine, [&](const std::string& verb, const std::string&) {
    if (verb == "PUT" && !begun.HasBeenNotified()) {
      begun.Notify();
      go_on.WaitForNotification();
    }
    return absl::OkStatus();
  });
  for (const int64_t step : {1, 2, 3}) {
    Save(machine, step, 1);
    mirror->Offer(step);  // at once, whatever the store does
    if (step == 1) begun.WaitForNotification();
  }
  EXPECT_EQ(mirror->in_use(), (std::set<int64_t>{1, 3}));
  ASSERT_TRUE(KeepLast(machine.run, 1, mirror->in_use()).ok());
  EXPECT_FALSE(fs::exists(CheckpointPath(machine.run, 2)));
  go_on.Notify();
  EXPECT_TRUE(Finish(*mirror).ok());
  EXPECT_THAT(mirror->in_use(), IsEmpty());
  std::vector<int64_t> steps;
  for (const MirrorReport& report : mirror->TakeReports()) steps.push_back(report.step);
  EXPECT_THAT(steps, ElementsAre(1, 3));
}

TEST_F(RunMirrorTest, TheEndInsistsOnceMore) {
  const Machine machine;
  int failures = 1;
  const auto mirror = Open(machine, [&failures](const std::string& verb, const std::string&) {
    return verb == "PUT" && failures-- > 0 ? absl::UnavailableError("away") : absl::OkStatus();
  });
  Store(machine, *mirror, 2);
  failures = 1000;
  Save(machine, 4, 4);
  mirror->Offer(4);
  const absl::Status status = Finish(*mirror);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(status.message(), "the checkpoint of step 4 is not stored at the mirror: away");
  EXPECT_TRUE(absl::IsCancelled(mirror->Finish([] { return false; })));
}

TEST_F(RunMirrorTest, WhatIsOnItsWayIsGivenUp) {
  const Machine machine;
  Save(machine, 2, 2);
  FakeObjectStore* store = nullptr;
  absl::Notification begun;
  auto owned = std::make_unique<FakeObjectStore>(
      &objects_, &mutex_, [&](const std::string& verb, const std::string&) -> absl::Status {
        if (verb != "PUT") return absl::OkStatus();
        begun.Notify();
        while (!store->cancelled()) absl::SleepFor(absl::Milliseconds(1));
        return absl::CancelledError("given up");
      });
  store = owned.get();
  RunMirror mirror(std::move(owned),
                   {.run = machine.run, .url = {"data", "runs/a"}, .config_digest = "mine"});
  mirror.Offer(2);
  begun.WaitForNotification();
}

}  // namespace
}  // namespace ip2p
