// Mapped and published files: what is refused, and that a reader never sees a part.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/storage/atomic_file.h"
#include "common/storage/make_folder.h"
#include "common/storage/mapped_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StorageTest : public ::testing::Test {
 protected:
  StorageTest() {
    std::string name = (fs::temp_directory_path() / "ip2p-storage-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~StorageTest() override { fs::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t Entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }
  // The code, and that the message names the file as it was called and not where it lies.
  void ExpectRefused(const std::string& path, absl::StatusCode code, const std::string& message) {
    const absl::Status status = MappedFile::Open(path, "the checkpoint").status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(root_.string())));
  }

  fs::path root_;
};

TEST_F(StorageTest, MapsAFileAndFollowsLinks) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "hello").ok());
  fs::create_symlink(Path("a"), Path("link"));
  for (const char* name : {"a", "link"}) {
    const auto file = MappedFile::Open(Path(name), "a file");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>((*file)->bytes().data()), (*file)->bytes().size()),
              "hello");
  }
}

TEST_F(StorageTest, MapsAnEmptyFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("empty"), "").ok());
  const auto file = MappedFile::Open(Path("empty"), "a file");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST_F(StorageTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  fs::create_directory(Path("folder"));
  ExpectRefused(Path("fifo"), absl::StatusCode::kInvalidArgument, "a FIFO; wants a regular file");
  ExpectRefused(Path("folder"), absl::StatusCode::kInvalidArgument, "a directory; wants a regular file");
  ExpectRefused("/dev/zero", absl::StatusCode::kInvalidArgument, "a device; wants a regular file");
  ExpectRefused(Path("absent"), absl::StatusCode::kNotFound, "the checkpoint does not exist");
  fs::create_symlink(Path("loop"), Path("loop"));
  ExpectRefused(Path("loop"), absl::StatusCode::kInvalidArgument, "not a regular file");
}

TEST_F(StorageTest, TextFilesHaveALimit) {
  ASSERT_TRUE(WriteFileAtomically(Path("text"), "12345").ok());
  EXPECT_EQ(*ReadTextFile(Path("text"), "text", 5), "12345");
  const absl::Status status = ReadTextFile(Path("text"), "text", 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "text is 5 bytes; wants at most 4");
}

TEST_F(StorageTest, AFileAppearsWholeOrNotAtAll) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  {
    auto file = AtomicFile::Create(Path("a"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Write("new and never published").ok());
    EXPECT_EQ(Read(Path("a")), "old");
  }
  EXPECT_EQ(Read(Path("a")), "old");
  EXPECT_EQ(Entries(), 1u);
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "new").ok());
  EXPECT_EQ(Read(Path("a")), "new");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(StorageTest, NewFilesHaveTheUsersPermissions) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "x").ok());
  std::ofstream(Path("b")) << "x";
  EXPECT_EQ(fs::status(Path("a")).permissions(), fs::status(Path("b")).permissions());
}

TEST_F(StorageTest, AFailedWriteLeavesTheOldFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  // A limit on file sizes fails writes as a full disk does.
  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {4, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_FALSE(WriteFileAtomically(Path("a"), "longer than four bytes").ok());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  EXPECT_EQ(Read(Path("a")), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(StorageTest, RefusesTargetsThatCannotBe) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  EXPECT_EQ(AtomicFile::Create(Path("absent/a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(AtomicFile::Create(Path("a/b")).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(AtomicFile::Create(Path("")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(Path("a")), "old");
}

TEST_F(StorageTest, AFolderAppearsWholeAndReplacesNothing) {
  {
    auto folder = AtomicFolder::Create(Path("model/"));
    ASSERT_TRUE(folder.ok()) << folder.status();
    fs::create_directory(fs::path(folder->path()) / "unet");
    ASSERT_TRUE(WriteFileAtomically(folder->path() + "/unet/w", "1").ok());
    EXPECT_FALSE(fs::exists(Path("model")));
    ASSERT_TRUE(folder->Publish().ok());
  }
  EXPECT_EQ(Read(Path("model/unet/w")), "1");
  EXPECT_EQ(AtomicFolder::Create(Path("model")).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(StorageTest, AFolderThatIsAbandonedVanishes) {
  { ASSERT_TRUE(AtomicFolder::Create(Path("model")).ok()); }
  EXPECT_EQ(Entries(), 0u);
}

TEST_F(StorageTest, TwoWritersOfOneFolderCannotMix) {
  auto first = AtomicFolder::Create(Path("model"));
  auto second = AtomicFolder::Create(Path("model"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(first->Publish().ok());
  EXPECT_EQ(second->Publish().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(StorageTest, AFolderIsMadeWithThoseAboveItAndStays) {
  ASSERT_TRUE(MakeFolder(Path("a/b"), "the folder").ok());
  std::ofstream(Path("a/b/file")) << "1";
  ASSERT_TRUE(MakeFolder(Path("a/b"), "the folder").ok());
  EXPECT_EQ(Read(Path("a/b/file")), "1");
  const absl::Status below_a_file = MakeFolder(Path("a/b/file/c"), "the folder of runs");
  EXPECT_THAT(std::string(below_a_file.message()),
              AllOf(HasSubstr("the folder of runs cannot be made"), Not(HasSubstr(root_.string()))));
}

}  // namespace
}  // namespace ip2p
