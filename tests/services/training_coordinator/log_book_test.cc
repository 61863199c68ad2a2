#include "services/training_coordinator/log_book.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::ElementsAre;

LogEntry Line(int rank, const std::string& text) {
  return {.time = absl::FromUnixMicros(1'500'000), .rank = rank, .epoch = 2, .text = text};
}

std::vector<std::string> Texts(const LogPiece& piece) {
  std::vector<std::string> texts;
  for (const LogEntry& entry : piece.lines) texts.push_back(entry.text);
  return texts;
}

class LogBookTest : public ::testing::Test {
 protected:
  LogPiece Read(const LogBook& book, LogPosition from, size_t limit = 100, std::optional<int> rank = {}) {
    auto piece = book.Read(from, limit, rank);
    EXPECT_TRUE(piece.ok()) << piece.status();
    return piece.ok() ? *piece : LogPiece();
  }
  TempFolder folder_;
};

TEST_F(LogBookTest, ReadsOnFromWhereItWas) {
  LogBook book(folder_.path());
  EXPECT_TRUE(Read(book, {}).lines.empty());
  ASSERT_TRUE(book.Append({Line(0, "one"), Line(1, "two \"quoted\" \xc3\xa9"), Line(0, "three")}).ok());
  const LogPiece first = Read(book, {}, 2);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.lines[0], Line(0, "one"));
  EXPECT_EQ(first.lines[1], Line(1, "two \"quoted\" \xc3\xa9"));
  const LogPiece rest = Read(book, first.next);
  EXPECT_THAT(Texts(rest), ElementsAre("three"));
  EXPECT_TRUE(Read(book, rest.next).lines.empty());
  ASSERT_TRUE(book.Append({Line(0, "four")}).ok());
  EXPECT_THAT(Texts(Read(book, rest.next)), ElementsAre("four"));
  EXPECT_THAT(Texts(Read(book, {}, 100, 1)), ElementsAre("two \"quoted\" \xc3\xa9"));
}

TEST_F(LogBookTest, APieceIsBoundedInBytes) {
  LogBook book(folder_.path());
  const std::string text(8 << 10, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(book.Append({Line(0, text), Line(1, text)}).ok());
  const LogPiece first = Read(book, {}, 1000);
  EXPECT_EQ(first.lines.size(), 32u);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(Read(book, first.next, 1000).lines.size(), 8u);
}

TEST_F(LogBookTest, TailIsTheLastLines) {
  LogBook book(folder_.path());
  EXPECT_TRUE(Read(book, *book.Tail(5, {})).lines.empty());
  ASSERT_TRUE(book.Append({Line(0, "one"), Line(1, "two"), Line(0, "three"), Line(1, "four")}).ok());
  EXPECT_THAT(Texts(Read(book, *book.Tail(2, {}))), ElementsAre("three", "four"));
  EXPECT_THAT(Texts(Read(book, *book.Tail(1, 0), 100, 0)), ElementsAre("three"));
  EXPECT_TRUE(Read(book, *book.Tail(0, {})).lines.empty());
  EXPECT_EQ(Read(book, *book.Tail(100, {})).lines.size(), 4);
}

TEST_F(LogBookTest, SizeIsBoundedAndReadersGoOn) {
  LogBook book(folder_.path(), 2000);
  ASSERT_TRUE(book.Append({Line(0, "first")}).ok());
  const LogPosition early = Read(book, {}).next;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(book.Append({Line(0, absl::StrCat("line ", i))}).ok());
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) bytes += entry.file_size();
  EXPECT_LT(bytes, 4200);
  const LogPiece left = Read(book, early, 1000);
  EXPECT_EQ(left.lines.back().text, "line 199");
  EXPECT_GT(left.lines.size(), 20);
}

TEST_F(LogBookTest, ATornLineIsPassedOver) {
  LogBook book(folder_.path());
  ASSERT_TRUE(book.Append({Line(0, "one")}).ok());
  const LogPiece one = Read(book, {});
  std::ofstream(folder_.In("lines-000001.jsonl"), std::ios::app) << R"({"t":1,"r":0,)";
  EXPECT_TRUE(Read(book, one.next).lines.empty());
  ASSERT_TRUE(LogBook(folder_.path()).Append({Line(0, "two"), Line(0, "three")}).ok());
  EXPECT_THAT(Texts(Read(book, one.next)), ElementsAre("three"));
}

}  // namespace
}  // namespace ip2p::training_coordinator
