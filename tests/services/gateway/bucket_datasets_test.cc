// Datasets at s3:// as the pages see them: which there are, what is read of them, and a store that goes away
// and comes back. Nothing waits for a clock: every look asks again.
#include "services/gateway/bucket_datasets.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/dataset/object_partition.h"
#include "common/object_store/cache_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/dataset_catalog.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRun[] =
    R"({"clip_threshold":0.2,"clip_dir_threshold":0.3,"clip_img_threshold":0.7,"max_out_samples":3})";

// A prompt's object with one pair, whose pictures are texts.
std::string Archive(const std::string& folder, const std::string& edit) {
  const std::string prompt = absl::StrCat(R"({"caption":"a house","edit":")", edit, R"(","output":"b"})");
  const std::string scores =
      R"({"seed":7,"p2p_threshold":0.5,"cfg_scale":8.0,"clip_sim_0":0.3,"clip_sim_1":0.3,)"
      R"("clip_sim_dir":0.25,"clip_sim_image":0.8,"sample_index":0,"verdict":"passed","kept":true})"
      "\n";
  const std::vector<FolderFile> files = {
      {"prompt.json", prompt}, {"7_0.jpg", "before"}, {"7_1.jpg", "after"}, {"scores.jsonl", scores}};
  return *PackPrompt(folder, files);
}

class BucketDatasetsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    objects_["data/sets/first/run.json"] = kRun;
    objects_["data/sets/first/0000000.tar"] = Archive("0000000", "make it snow");
    objects_["data/sets/first/0000001.tar"] = Archive("0000001", "make it rain");
  }

  std::unique_ptr<BucketDatasets> Source(int64_t copy_bytes = 1 << 30) {
    const auto ask = [this](const std::string& verb, const std::string& key) {
      const absl::MutexLock lock(&mutex_);
      asked_.push_back(absl::StrCat(verb, " ", key));
      return away_;
    };
    return std::make_unique<BucketDatasets>(
        std::make_unique<FakeObjectStore>(&objects_, &objects_mutex_, ask), cache_.path(),
        ObjectUrl{"data", "sets"}, copy_bytes, absl::ZeroDuration());
  }
  DatasetCatalog Catalog(int64_t copy_bytes = 1 << 30) {
    return DatasetCatalog(Source(copy_bytes), 1000, absl::ZeroDuration());
  }
  void Put(const std::string& name, const std::string& bytes) {
    const absl::MutexLock lock(&objects_mutex_);
    objects_[name] = bytes;
  }
  void Answers(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    away_ = status;
  }
  std::vector<std::string> Asked() {
    const absl::MutexLock lock(&mutex_);
    return asked_;
  }

  // Looks until the view is as it shall be, since a slow disk makes a look too early.
  static void LookUntil(DatasetCatalog& catalog, const std::function<bool(const DatasetView&)>& good) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    bool seen = false;
    absl::Status status;
    while (!seen && absl::Now() < end) {
      status = catalog.Look("first", [&](const DatasetView& view) { seen = !view.reading && good(view); });
    }
    EXPECT_TRUE(seen) << status;
  }

  // The same of the list, since one may be under way that began before.
  static void ListUntil(DatasetCatalog& catalog,
                        const std::function<bool(const absl::StatusOr<std::vector<std::string>>&)>& good) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    bool seen = false;
    while (!seen && absl::Now() < end) seen = good(catalog.List());
    EXPECT_TRUE(seen);
  }

  TempFolder cache_;
  FakeObjectStore::Objects objects_;
  absl::Mutex objects_mutex_;
  absl::Mutex mutex_;
  absl::Status away_;
  std::vector<std::string> asked_;
};

TEST_F(BucketDatasetsTest, ListsTheFoldersThatAreDatasets) {
  objects_["data/sets/loose/0000000/prompt.json"] = "{}";
  objects_["data/sets/named/winter/prompt.json"] = "{}";
  objects_["data/sets/index/seeds.json"] = "[]";
  objects_["data/sets/models/unet/config.json"] = "{}";
  objects_["data/sets/.tmp/run.json"] = "{}";
  objects_["data/sets/file.tar"] = "x";
  objects_["data/settings/other/run.json"] = "{}";
  const auto source = Source();
  const auto names = source->List();
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_THAT(*names, ElementsAre("first", "index", "loose", "named"));
}

TEST_F(BucketDatasetsTest, OnlyListedNamesAreAskedFor) {
  DatasetCatalog catalog = Catalog();
  for (const char* name : {"nothing", "..", ".", "", ".tmp", "first/0000000", "../sets/first"}) {
    const absl::Status status = catalog.Look(name, [](const DatasetView&) {});
    EXPECT_TRUE(absl::IsNotFound(status)) << name << status;
  }
  for (const std::string& request : Asked()) EXPECT_THAT(request, Not(HasSubstr("nothing")));
}

TEST_F(BucketDatasetsTest, AStoreThatIsAwayIsToldAndComesBack) {
  Answers(absl::PermissionDeniedError("s3://data/sets: the store answered 403 AccessDenied"));
  DatasetCatalog catalog = Catalog();
  for (const absl::Status& status :
       {catalog.List().status(), catalog.Look("first", [](const DatasetView&) {}),
        catalog.ReadImage("first", "0000000", "7_0.jpg").status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("403 AccessDenied"));
  }
  Answers(absl::OkStatus());
  EXPECT_THAT(*catalog.List(), ElementsAre("first"));
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 2; });
}

TEST_F(BucketDatasetsTest, ADatasetIsReadFromItsCopy) {
  DatasetCatalog catalog = Catalog();
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 2; });
  const absl::Status looked = catalog.Look("first", [](const DatasetView& view) {
    EXPECT_EQ(view.folders_total, 2);
    EXPECT_FALSE(view.cut);
    EXPECT_EQ(view.fault, "");
    ASSERT_TRUE(view.thresholds.has_value());
    EXPECT_EQ(view.thresholds->dir, 0.3);
    EXPECT_EQ(view.max_out_samples, 3);
    EXPECT_EQ(view.index->Select({.clip = 0.2, .dir = 0.2, .img = 0.7}, 4).passed, 2);
  });
  EXPECT_TRUE(looked.ok()) << looked;
  EXPECT_EQ(*catalog.ReadImage("first", "0000001", "7_1.jpg"), "after");
  EXPECT_EQ(catalog.ReadPrompt("first", "0000001")->edit, "make it rain");
  EXPECT_TRUE(absl::IsNotFound(catalog.ReadImage("first", "0000002", "7_1.jpg").status()));
  EXPECT_FALSE(catalog.ReadImage("first", "..", "7_1.jpg").ok());
}

TEST_F(BucketDatasetsTest, WhatIsPublishedIsAddedAndWhatWasReadStays) {
  DatasetCatalog catalog = Catalog();
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 2; });
  Put("data/sets/first/0000002.tar", Archive("0000002", "make it night"));
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 3; });
  Answers(absl::UnavailableError("no connection"));
  Put("data/sets/first/0000003.tar", Archive("0000003", "make it day"));
  LookUntil(catalog, [](const DatasetView& view) {
    return view.index->pairs() == 3 && view.fault == "s3://data/sets/first can't be copied: no connection";
  });
  EXPECT_EQ(*catalog.ReadImage("first", "0000002", "7_0.jpg"), "before");
  ListUntil(catalog, [](const auto& names) { return absl::IsUnavailable(names.status()); });
  Answers(absl::OkStatus());
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 4 && view.fault.empty(); });
}

TEST_F(BucketDatasetsTest, OneThatIsGoneIsNotFound) {
  DatasetCatalog catalog = Catalog();
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 2; });
  {
    const absl::MutexLock lock(&objects_mutex_);
    objects_.clear();
  }
  ListUntil(catalog, [](const auto& names) { return names.ok() && names->empty(); });
  EXPECT_TRUE(absl::IsNotFound(catalog.ReadImage("first", "0000000", "7_0.jpg").status()));
}

TEST_F(BucketDatasetsTest, OfALargeOneThePartThatFitsIsShown) {
  DatasetCatalog catalog = Catalog(static_cast<int64_t>(objects_["data/sets/first/0000000.tar"].size()) + 10);
  LookUntil(catalog, [](const DatasetView& view) { return view.index->pairs() == 1 && view.cut; });
  const absl::Status looked = catalog.Look("first", [](const DatasetView& view) {
    EXPECT_EQ(view.folders_total, 2);
    EXPECT_TRUE(view.thresholds.has_value());  // run.json is none of the prompts
  });
  EXPECT_TRUE(looked.ok()) << looked;
}

TEST_F(BucketDatasetsTest, AnotherProcessAtTheSameCopyIsNotWaitedFor) {
  const auto source = Source();
  const auto folder = source->FolderOf("first");
  ASSERT_TRUE(folder.ok()) << folder.status();
  const auto lock = FileLock::Take(*folder + ".lock", FileLock::Kind::kExclusive);
  ASSERT_TRUE(lock.ok());
  const absl::Status status = source->Update("first", nullptr);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("another process copies s3://data/sets/first"));
}

TEST_F(BucketDatasetsTest, StoppingEndsWhatIsUnderWay) {
  const auto source = Source();
  source->Stop();
  EXPECT_TRUE(absl::IsUnavailable(source->Update("first", nullptr)));
  EXPECT_TRUE(absl::IsUnavailable(source->List().status()));
}

}  // namespace
}  // namespace ip2p::gateway
