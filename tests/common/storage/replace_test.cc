// A folder in the place of another: with one rename, and where the file system has none that exchanges.
#include <cerrno>
#include <filesystem>
#include <optional>
#include <set>

#include "common/storage/atomic_file.h"
#include "common/storage/new_file.h"
#include "common/storage/read_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

class ReplaceTest : public ::testing::Test {
 protected:
  void MakeOld() const {
    fs::create_directories(folder_.In("model"));
    folder_.Write("model/a", "old");
    folder_.Write("model/b", "old");
  }
  absl::Status Replace() const {
    absl::StatusOr<AtomicFolder> folder = AtomicFolder::Create(folder_.In("model"), /*replaces=*/true);
    if (!folder.ok()) return folder.status();
    for (const char* const name : {"/a", "/b"}) {
      const absl::Status written = WriteNewFile(folder->path() + name, "new");
      if (!written.ok()) return written;
    }
    return folder->Replace();
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.insert(entry.path().filename());
    return names;
  }

  TempFolder folder_;
};

TEST_F(ReplaceTest, AFileSystemThatCannotExchange) {
  const PlainRenames nfs;
  EXPECT_TRUE(absl::IsNotFound(Replace()));
  EXPECT_TRUE(Names().empty());
  MakeOld();
  const absl::Status status = Replace();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(folder_.Read("model/a"), "new");
  EXPECT_THAT(Names(), UnorderedElementsAre("model"));
}

TEST_F(ReplaceTest, AFaultAtAnyCallLeavesOneOfTheTwo) {
  for (const bool exchanges : {true, false}) {
    for (int call = 1;; ++call) {
      MakeOld();
      bool failed = false;
      absl::Status status;
      {
        std::optional<PlainRenames> nfs;
        if (!exchanges) nfs.emplace();
        const FailingDisk disk(call, EROFS);
        status = Replace();
        failed = FailingDisk::failed();
      }
      if (!failed) {
        EXPECT_GT(call, 9);
        break;
      }
      EXPECT_TRUE(absl::IsUnavailable(status)) << call << ": " << status;
      EXPECT_THAT(folder_.Read("model/a"), AnyOf("old", "new")) << call;
      EXPECT_EQ(folder_.Read("model/b"), folder_.Read("model/a")) << call;
      EXPECT_THAT(Names(), UnorderedElementsAre("model")) << call;
      fs::remove_all(folder_.In("model"));
    }
  }
}

TEST_F(ReplaceTest, KilledAtAnyCallItIsPutRight) {
  bool was_missing = false;
  for (int call = 1;; ++call) {
    MakeOld();
    const bool killed = KilledAtCall(call, [this] {
      const PlainRenames nfs;
      static_cast<void>(Replace());
    });
    if (!killed) break;
    was_missing = was_missing || !fs::exists(folder_.In("model"));
    ASSERT_TRUE(RestoreReplaced(folder_.In("model")).ok()) << call;
    EXPECT_THAT(folder_.Read("model/a"), AnyOf("old", "new")) << call;
    EXPECT_EQ(folder_.Read("model/b"), folder_.Read("model/a")) << call;
    EXPECT_FALSE(fs::exists(OldNameOf(folder_.In("model"))));
    for (const std::string& name : Names()) fs::remove_all(folder_.In(name));
  }
  EXPECT_TRUE(was_missing);  // between the two renames
}

TEST_F(ReplaceTest, WhatWasLeftBesideAWholeTargetGoes) {
  MakeOld();
  fs::create_directories(OldNameOf(folder_.In("model")));
  ASSERT_TRUE(RestoreReplaced(folder_.In("model/")).ok());
  EXPECT_THAT(Names(), UnorderedElementsAre("model"));
  EXPECT_TRUE(RestoreReplaced(folder_.In("nothing")).ok());
}

TEST_F(ReplaceTest, WritesInSmallPiecesAreGoneOnWith) {
  const std::string text(1000, 'x');
  {
    const ShortWrites pieces(7);
    ASSERT_TRUE(WriteNewFile(folder_.In("new"), text).ok());
    ASSERT_TRUE(WriteFileAtomically(folder_.In("atomic"), text).ok());
  }
  EXPECT_EQ(folder_.Read("new"), text);
  EXPECT_EQ(folder_.Read("atomic"), text);
}

TEST_F(ReplaceTest, ANewNameIsTakenOnce) {
  for (const bool flags : {true, false}) {
    std::optional<PlainRenames> nfs;
    if (!flags) nfs.emplace();
    folder_.Write("a", "first");
    folder_.Write("b", "second");
    EXPECT_EQ(RenameNew(folder_.In("a"), folder_.In("c")), 0);
    EXPECT_EQ(RenameNew(folder_.In("b"), folder_.In("c")), -1);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(folder_.Read("c"), "first");
    EXPECT_FALSE(fs::exists(folder_.In("a")));
    fs::remove(folder_.In("c"));
  }
}

TEST_F(ReplaceTest, AFileThatIsTooLargeIsNoReasonToTryAgain) {
  folder_.Write("f", std::string(11, 'x'));
  EXPECT_EQ(ReadFile(folder_.In("f"), "f", 11).value().size(), 11U);
  const absl::Status status = ReadFile(folder_.In("f"), "f", 10).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "f is too large; wants at most 10 bytes");
}

}  // namespace
}  // namespace ip2p
