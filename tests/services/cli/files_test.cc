// Reading and publishing files, exit codes, Ctrl-C.
#include "services/cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <sstream>

#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

class FilesTest : public testing::CliTest {};

TEST_F(FilesTest, WritesWholeFilesOnly) {
  ASSERT_TRUE(WriteOutput(Path("a"), "one", out_).ok());
  ASSERT_TRUE(WriteOutput(Path("a"), std::string(200'000, 'x'), out_).ok());
  EXPECT_EQ(Get("a"), std::string(200'000, 'x'));
  EXPECT_EQ(FilesInFolder(), 1u);
  EXPECT_EQ(WriteOutput(Path("no/such/folder"), "x", out_).code(), absl::StatusCode::kNotFound);
  std::filesystem::create_directory(Path("folder"));
  EXPECT_FALSE(WriteOutput(Path("folder"), "x", out_).ok());
  EXPECT_EQ(FilesInFolder(), 2u);  // no temporary file is left
}

TEST_F(FilesTest, DevicesAreWrittenInPlace) {
  const std::string link = Path("null");
  std::filesystem::create_symlink("/dev/null", link);
  EXPECT_TRUE(WriteOutput(link, "bytes", out_).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(WriteOutput("/dev/full", "bytes", out_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FilesTest, ReadsRegularFilesOnly) {
  Put("a", std::string(100'000, 'y'));
  EXPECT_EQ(ReadWholeFile(Path("a"), 100'000)->size(), 100'000u);
  EXPECT_EQ(ReadWholeFile(Path("a"), 99'999).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadWholeFile(Path("none"), 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadWholeFile(Path("."), 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadWholeFile("/dev/zero", 10).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadWholeFile(Path("fifo"), 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FilesTest, DashIsStandardInputAndOutput) {
  std::istringstream in(std::string(100'000, 'z'));
  EXPECT_EQ(ReadInput("-", 100'000, in)->size(), 100'000u);
  std::istringstream endless(std::string(100'001, 'z'));
  EXPECT_EQ(ReadInput("-", 100'000, endless).status().code(), absl::StatusCode::kInvalidArgument);
  std::ostringstream out;
  EXPECT_TRUE(WriteOutput("-", "bytes", out).ok());
  EXPECT_EQ(out.str(), "bytes");
  out.setstate(std::ios::badbit);
  EXPECT_FALSE(WriteOutput("-", "bytes", out).ok());
}

TEST(ExitCodeTest, EveryStatusHasOne) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::UnimplementedError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 42);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 42);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 42);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), 42);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 69);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), 75);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 75);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), 77);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), 130);
}

TEST(CancellationTest, WorkAtHandIsGivenUpOnce) {
  int exits = 0, given_up = 0;
  Cancellation cancellation([&exits] { ++exits; });
  {
    const Cancellation::Scope scope(cancellation, [&given_up] { ++given_up; });
    EXPECT_FALSE(cancellation.cancelled());
    cancellation.Cancel();
    EXPECT_EQ(given_up, 1);
    EXPECT_EQ(exits, 0);
    cancellation.Cancel();  // the second one means now
    EXPECT_EQ(given_up, 1);
    EXPECT_EQ(exits, 1);
  }
  const Cancellation::Scope late(cancellation, [&given_up] { ++given_up; });
  EXPECT_EQ(given_up, 2);  // work that starts after Ctrl-C is given up at once
}

TEST(CancellationTest, WithoutWorkTheProcessEnds) {
  int exits = 0;
  Cancellation cancellation([&exits] { ++exits; });
  {
    const Cancellation::Scope scope(cancellation, [] { FAIL(); });
  }
  cancellation.Cancel();
  EXPECT_EQ(exits, 1);
}

}  // namespace
}  // namespace ip2p
