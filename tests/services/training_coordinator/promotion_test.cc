// Promotion against an edit server that is a list of calls.
#include "services/training_coordinator/promotion.h"

#include "absl/strings/str_format.h"
#include "common/base/sha256.h"
#include "gmock/gmock.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/services/training_coordinator/fake_world.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeModelServer final : public ModelServer {
 public:
  absl::StatusOr<std::string> NameOf(const std::string& name, absl::Time) override {
    if (!reachable.ok()) return reachable;
    if (name != "" && name != "portraits" && name != "main") return absl::NotFoundError("no such model");
    return name.empty() ? "main" : name;
  }
  absl::Status Reload(const std::string& name, const std::string& folder, absl::Time) override {
    reloads.push_back(name + "=" + folder);
    return reload;
  }

  absl::Status reachable;
  absl::Status reload;
  std::vector<std::string> reloads;
};

class PromotionTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    Open();
    id_ = Submit("a");
    Run(id_);
    Make(10, "weights of 10");
  }
  // What a worker leaves behind, and tells.
  void Make(int64_t step, const std::string& weights) {
    const std::string folder = absl::StrFormat("jobs/%s/checkpoints/step-%09d", id_, step);
    const std::string exported = absl::StrFormat("jobs/%s/export/step-%09d", id_, step);
    std::filesystem::create_directories(folder_.In(folder));
    std::filesystem::create_directories(folder_.In(exported + "/unet"));
    folder_.Write(folder + "/weights.safetensors", weights);
    folder_.Write(folder + "/state.json",
                  absl::StrFormat(R"({"step":%d,"files":{"weights.safetensors":{"sha256":"%s","bytes":%d}}})",
                                  step, Sha256Hex(weights), weights.size()));
    folder_.Write(exported + "/model_index.json", "{}");
    folder_.Write(exported + "/unet/diffusion_pytorch_model.safetensors", weights);
    ASSERT_TRUE(Record(id_, step).ok());
  }
  absl::StatusOr<Promoted> Promote(std::optional<int64_t> step = {}, const std::string& model = "") {
    Promotion promotion(coordinator_.get(), &folders_, &server_, job_mirrors_);
    return promotion.Promote(id_, step, model, absl::InfiniteFuture());
  }
  std::string Served(const std::string& model) const {
    return folder_.Read("models/" + model + "/unet/diffusion_pytorch_model.safetensors");
  }
  bool Pinned(int64_t step) const {
    return std::filesystem::exists(folders_.Checkpoint(id_, step) + "/pinned");
  }

  // Stores what is in the job's folder as its workers do.
  void Mirror(int64_t step) {
    const std::string below = absl::StrFormat("jobs/%s", id_);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.In(below))) {
      const std::string name = entry.path().string().substr(folder_.In(below).size() + 1);
      if (entry.is_regular_file() && name.find(absl::StrFormat("step-%09d", step)) != std::string::npos)
        objects_["bucket/runs/" + id_ + "/" + name] = folder_.Read(below + "/" + name);
    }
  }
  bool Stored(const std::string& name) { return objects_.contains("bucket/runs/" + id_ + "/" + name); }

  std::string id_;
  FakeModelServer server_;
  FakeObjectStore::Objects objects_;
  absl::Mutex mutex_;
  absl::Status store_fault_;
  FakeObjectStore object_store_{&objects_, &mutex_,
                                [this](const std::string&, const std::string&) { return store_fault_; }};
  const JobMirrors mirrors_{&object_store_, {"bucket", "runs"}};
};

TEST_F(PromotionTest, PublishesPinsAndReloads) {
  auto promoted = Promote();
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ(promoted->model, "main");
  EXPECT_THAT(promoted->checkpoint.promoted_to, ElementsAre("main"));
  EXPECT_EQ(Served("main"), "weights of 10");
  EXPECT_TRUE(Pinned(10));
  EXPECT_THAT(server_.reloads, ElementsAre("main=main"));
  Make(20, "weights of 20");
  ASSERT_TRUE(Promote().ok());
  EXPECT_EQ(Served("main"), "weights of 20");
  ASSERT_TRUE(Promote(10, "portraits").ok());
  EXPECT_EQ(Served("portraits"), "weights of 10");
  EXPECT_THAT(coordinator_->FindCheckpoint(id_, 10)->promoted_to, ElementsAre("main", "portraits"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.In("models"))) {
    EXPECT_EQ(entry.path().filename().string().find(".tmp-"), std::string::npos);
  }
}

TEST_F(PromotionTest, ADamagedCheckpointChangesNothing) {
  ASSERT_TRUE(Promote().ok());
  Make(20, "weights of 20");
  folder_.Write(absl::StrFormat("jobs/%s/checkpoints/step-000000020/weights.safetensors", id_),
                "weights of 2O");
  const absl::Status status = Promote(20).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("weights.safetensors of the checkpoint is damaged"));
  EXPECT_EQ(Served("main"), "weights of 10");
  EXPECT_FALSE(Pinned(20));
  EXPECT_EQ(server_.reloads.size(), 1);
  folder_.Write(absl::StrFormat("jobs/%s/checkpoints/step-000000020/state.json", id_),
                R"({"files":{"../../token":{"sha256":"x"}}})");
  EXPECT_TRUE(absl::IsDataLoss(Promote(20).status()));
  std::filesystem::remove_all(folders_.Checkpoint(id_, 20));
  EXPECT_TRUE(absl::IsDataLoss(Promote(20).status()));
}

// Of workers that share no disk with the coordinator.
TEST_F(PromotionTest, WhatIsNotOnTheDiskIsTakenFromTheMirror) {
  Mirror(10);
  std::filesystem::remove_all(folders_.Checkpoint(id_, 10));
  EXPECT_TRUE(absl::IsDataLoss(Promote().status())) << "no mirror is configured";
  job_mirrors_ = &mirrors_;
  store_fault_ = absl::UnavailableError("away");
  EXPECT_TRUE(absl::IsUnavailable(Promote().status()));
  store_fault_ = absl::OkStatus();
  const auto promoted = Promote();
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ(Served("main"), "weights of 10");
  EXPECT_TRUE(Stored("checkpoints/step-000000010/pinned"));

  Make(20, "weights of 20");
  std::filesystem::remove_all(folders_.Checkpoint(id_, 20));
  const absl::Status gone = Promote(20).status();
  EXPECT_TRUE(absl::IsDataLoss(gone));
  EXPECT_EQ(gone.message(), "the checkpoint of step 20 is gone from the disk and from its mirror");
  EXPECT_FALSE(Stored("checkpoints/step-000000020/pinned"));
}

TEST_F(PromotionTest, WhatIsInBothPlacesIsPinnedInBoth) {
  job_mirrors_ = &mirrors_;
  Mirror(10);
  ASSERT_TRUE(Promote().ok());
  EXPECT_TRUE(Pinned(10));
  EXPECT_TRUE(Stored("checkpoints/step-000000010/pinned"));
  Make(20, "weights of 20");
  Mirror(20);
  std::filesystem::remove_all(folders_.Export(id_, 20));
  EXPECT_TRUE(absl::IsFailedPrecondition(Promote(20).status()));
  EXPECT_FALSE(Pinned(20));
  EXPECT_FALSE(Stored("checkpoints/step-000000020/pinned"));
  // All but what serves.
  objects_["bucket/runs/other/metrics.jsonl"] = "of another job";
  ASSERT_TRUE(mirrors_.DeleteJob(id_).ok());
  EXPECT_TRUE(Stored("checkpoints/step-000000010/weights.safetensors"));
  EXPECT_EQ(objects_.size(), 4) << "state.json, weights, pinned, and the other job's";
}

TEST_F(PromotionTest, ASilentEditServerIsUnavailableAndTheNextTryCompletes) {
  server_.reachable = absl::UnavailableError("no connection");
  EXPECT_TRUE(absl::IsUnavailable(Promote().status()));
  EXPECT_FALSE(std::filesystem::exists(folders_.Model("main")));
  server_.reachable = absl::OkStatus();
  server_.reload = absl::UnavailableError("gone");
  EXPECT_TRUE(absl::IsUnavailable(Promote().status()));
  server_.reload = absl::OkStatus();
  EXPECT_TRUE(Promote().ok());
}

TEST_F(PromotionTest, WhatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Promote(15).status()));
  EXPECT_TRUE(absl::IsNotFound(Promote(10, "landscapes").status()));
  std::filesystem::remove_all(folders_.Export(id_, 10));
  EXPECT_TRUE(absl::IsFailedPrecondition(Promote().status()));
  Promotion nowhere(coordinator_.get(), &folders_, nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(nowhere.Promote(id_, {}, "", absl::InfiniteFuture()).status()));
}

}  // namespace
}  // namespace ip2p::training_coordinator
