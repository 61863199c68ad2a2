#include "common/storage/append_file.h"

#include "common/storage/temp_file.h"
#include "gtest/gtest.h"
#include "tests/fakes/file_size_limit.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

TEST(AppendFileTest, GoesOnWhereItEnded) {
  const TempFolder folder;
  {
    auto file = AppendFile::Open(folder.In("f"), "the file", false);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(file->Append("one\n").ok());
  }
  auto file = AppendFile::Open(folder.In("f"), "the file", false);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size(), 4);
  EXPECT_TRUE(file->Append("two\n").ok());
  EXPECT_TRUE(file->Truncate(4).ok());
  EXPECT_TRUE(file->Append("three\n").ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(folder.Read("f"), "one\nthree\n");
}

TEST(AppendFileTest, OneHoldsItAtATime) {
  const TempFolder folder;
  {
    const auto first = AppendFile::Open(folder.In("f"), "the file", true);
    ASSERT_TRUE(first.ok());
    const auto second = AppendFile::Open(folder.In("f"), "the file", true);
    EXPECT_EQ(second.status(), absl::AbortedError("the file is in use by another process"));
  }
  EXPECT_TRUE(AppendFile::Open(folder.In("f"), "the file", true).ok());
}

TEST(AppendFileTest, APieceThatDoesNotFitLeavesNoPart) {
  const TempFolder folder;
  auto file = AppendFile::Open(folder.In("f"), "the file", false);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->Append(std::string(90, 'a')).ok());
  {
    const FileSizeLimit full(100);
    const absl::Status status = file->Append(std::string(20, 'b'));
    EXPECT_EQ(status, absl::ResourceExhaustedError("the file cannot be written: no space left"));
  }
  EXPECT_EQ(folder.Read("f"), std::string(90, 'a'));
  EXPECT_TRUE(file->Append("c").ok());
  EXPECT_EQ(folder.Read("f"), std::string(90, 'a') + "c");
}

TEST(AppendFileTest, RefusesWhatIsNoFile) {
  const TempFolder folder;
  EXPECT_FALSE(AppendFile::Open(folder.path(), "the file", false).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(AppendFile::Open("/dev/null", "the file", false).status()));
  const absl::Status missing = AppendFile::Open(folder.In("no/f"), "the file", false).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(missing.message().find(folder.path()), std::string::npos);
}

TEST(TempFileTest, ReadsBackAcrossItsGathering) {
  const TempFolder folder;
  auto file = TempFile::Create(folder.path());
  ASSERT_TRUE(file.ok());
  std::string all;
  for (int i = 0; i < 30000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    all += piece;
    ASSERT_TRUE(file->Append(piece).ok());
  }
  ASSERT_TRUE(file->Flush().ok());
  EXPECT_EQ(file->size(), static_cast<int64_t>(all.size()));
  std::string read(1000, '\0');
  ASSERT_TRUE(file->ReadAt(70000, std::as_writable_bytes(std::span(read))).ok());
  EXPECT_EQ(read, all.substr(70000, 1000));
  EXPECT_TRUE(absl::IsOutOfRange(file->ReadAt(file->size() - 10, std::as_writable_bytes(std::span(read)))));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));  // it has no name
}

}  // namespace
}  // namespace ip2p
