// Copies of datasets at s3:// while they grow: what is whole, what is left out, what stays.
#include "common/dataset/dataset_copy.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/dataset/object_partition.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

TEST(DatasetCopyProgressTest, TellsWhichFoldersAreWhole) {
  const auto has = [](const char* next, const char* folder) {
    return DatasetCopyProgress{.next = next}.Has(folder);
  };
  EXPECT_TRUE(has("", "0000007"));
  EXPECT_TRUE(has("0000008.tar", "0000007"));
  EXPECT_FALSE(has("0000007.tar", "0000007"));
  EXPECT_FALSE(has("0000006.tar", "0000007"));
  EXPECT_FALSE(has("0000007/7_1.jpg", "0000007"));  // some of its files are there
  EXPECT_TRUE(has("0000008/7_0.jpg", "0000007"));
  EXPECT_TRUE(has("10000000.tar", "1000000"));
  EXPECT_FALSE(has("winter-2/prompt.json", "winter"));  // whose key comes behind
}

class DatasetCopyTest : public ::testing::Test {
 protected:
  std::string Archive(const std::string& folder, size_t bytes) {
    const std::string prompt(bytes, ' ');
    const std::vector<FolderFile> files = {{"prompt.json", prompt}};
    return *PackPrompt(folder, files);
  }
  absl::StatusOr<std::string> Copy(int64_t max_bytes = 1 << 30) {
    told_.clear();
    return LocalDatasetIn(store_, cache_.path(), {"data", "pairs"},
                          {.progress = [this](const DatasetCopyProgress& now) { told_.push_back(now); },
                           .max_bytes = max_bytes});
  }
  bool IsThere(const std::string& name) const { return fs::exists(absl::StrCat(folder_, "/", name)); }

  TempFolder cache_;
  FakeObjectStore::Objects objects_;
  absl::Mutex mutex_;
  FakeObjectStore store_{&objects_, &mutex_};
  std::string folder_ = DatasetCopyFolder(store_, cache_.path(), {"data", "pairs"});
  std::vector<DatasetCopyProgress> told_;
};

TEST_F(DatasetCopyTest, TheSettingsComeFirstThenPromptsInOrder) {
  for (int i = 0; i < 100; ++i) {
    const std::string folder = absl::StrCat("00000", i < 10 ? "0" : "", i);
    objects_[absl::StrCat("data/pairs/", folder, ".tar")] = Archive(folder, 10);
  }
  objects_["data/pairs/run.json"] = "{}";
  objects_["data/pairs/.lease-0-10"] = "{}";
  ASSERT_EQ(*Copy(), folder_);
  ASSERT_EQ(told_.size(), 3u);
  EXPECT_EQ(told_[0].done, 0);
  EXPECT_EQ(told_[0].objects, 101);
  EXPECT_EQ(told_[0].prompts, 100);
  EXPECT_EQ(told_[0].next, "0000000.tar");
  EXPECT_EQ(told_[1].done, 64);
  EXPECT_EQ(told_[1].next, "0000063.tar");  // 63 prompts and run.json are there
  EXPECT_EQ(told_[2].done, 101);
  EXPECT_EQ(told_[2].next, "");
  EXPECT_TRUE(IsThere("0000099/prompt.json"));
  EXPECT_FALSE(IsThere(".lease-0-10"));
  ASSERT_TRUE(Copy().ok());
  ASSERT_EQ(told_.size(), 1u);  // nothing is new
  EXPECT_EQ(told_[0].objects, 0);
}

TEST_F(DatasetCopyTest, WhatIsTooMuchIsLeftOutWholePromptsFirst) {
  objects_["data/pairs/0000000/a.jpg"] = std::string(100, 'a');
  objects_["data/pairs/0000001/a.jpg"] = std::string(100, 'a');
  objects_["data/pairs/0000001/b.jpg"] = std::string(100, 'a');
  objects_["data/pairs/0000002/a.jpg"] = std::string(10, 'a');
  objects_["data/pairs/seeds.json"] = std::string(1000, 's');
  ASSERT_TRUE(Copy(250).ok());
  EXPECT_EQ(told_.back().next, "0000001/b.jpg");
  EXPECT_EQ(told_.back().done, told_.back().objects);
  EXPECT_EQ(told_.back().prompts, 3);
  EXPECT_TRUE(told_.back().Has("0000000"));
  EXPECT_FALSE(told_.back().Has("0000001"));
  EXPECT_FALSE(told_.back().Has("0000002"));
  EXPECT_TRUE(IsThere("seeds.json"));
  EXPECT_FALSE(IsThere("0000002"));
  ASSERT_TRUE(Copy().ok());
  EXPECT_TRUE(IsThere("0000001/b.jpg"));
  ASSERT_TRUE(Copy(250).ok());
  EXPECT_TRUE(IsThere("0000001/b.jpg"));  // whoever copied it has a use for it
}

}  // namespace
}  // namespace ip2p
