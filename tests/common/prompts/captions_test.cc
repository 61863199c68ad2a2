// Captions files: formats, faults by line, duplicates.
#include <sys/stat.h>

#include <set>
#include <thread>

#include "common/prompts/caption_file.h"
#include "common/prompts/caption_format.h"
#include "common/prompts/caption_text.h"
#include "common/prompts/duplicate_finder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

TEST(CaptionTextTest, WhatIsTheSameCaption) {
  const std::string plain = NormalisedCaption("a red barn");
  EXPECT_EQ(NormalisedCaption("  A Red\t barn. \n"), plain);
  EXPECT_EQ(NormalisedCaption("a red\xC2\xA0"
                              "barn"),
            plain);                                                                // a no-break space
  EXPECT_EQ(NormalisedCaption("CAF\xC3\x89"), NormalisedCaption("cafe\xCC\x81"));  // one character or two
  EXPECT_NE(NormalisedCaption("a red barns"), plain);
}

TEST(CaptionTextTest, Limits) {
  EXPECT_TRUE(CheckCaption(std::string(4096, 'a'), std::string(2048, 'u')).ok());
  EXPECT_EQ(CheckCaption(std::string(4097, 'a'), "").message(), "caption is 4097 bytes; wants at most 4096");
  EXPECT_EQ(CheckCaption("a", std::string(2049, 'u')).message(), "url is 2049 bytes; wants at most 2048");
  EXPECT_EQ(CheckCaption(" \t", "").message(), "caption is empty; wants a text");
  EXPECT_EQ(CheckCaption(std::string("a\0b", 3), "").message(), "caption holds a NUL; wants none");
  EXPECT_EQ(CheckCaption("\xED\xA0\x80", "").message(), "caption is not UTF-8");
}

TEST(CaptionFormatTest, ByExtension) {
  EXPECT_EQ(*CaptionFormatOf("a/b.JSONL"), CaptionFormat::kJsonl);
  EXPECT_EQ(*CaptionFormatOf("b.txt"), CaptionFormat::kText);
  EXPECT_EQ(*CaptionFormatOf("b.csv"), CaptionFormat::kCsv);
  EXPECT_THAT(std::string(CaptionFormatOf("b.parquet").status().message()), HasSubstr("read_parquet"));
  EXPECT_FALSE(CaptionFormatOf("captions").ok());
}

TEST(CsvTest, Fields) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(*SplitCsv("a,,c"), (Fields{"a", "", "c"}));
  EXPECT_EQ(*SplitCsv(R"("a ""b"", c",d)"), (Fields{"a \"b\", c", "d"}));
  EXPECT_EQ(*SplitCsv("\"two\nlines\""), (Fields{"two\nlines"}));
  EXPECT_FALSE(SplitCsv("a\"b").ok());
  EXPECT_FALSE(SplitCsv("\"a\"b").ok());
  EXPECT_FALSE(SplitCsv("\"a").ok());
}

struct Read {
  CaptionState state;
  std::string text_or_fault;
  int64_t line;
  friend bool operator==(const Read&, const Read&) = default;
};
void PrintTo(const Read& read, std::ostream* out) {
  *out << static_cast<int>(read.state) << " \"" << read.text_or_fault << "\" at " << read.line;
}

constexpr CaptionState kGood = CaptionState::kGood;
constexpr CaptionState kBad = CaptionState::kBad;
constexpr CaptionState kTwice = CaptionState::kDuplicate;

std::vector<Read> ReadAll(const TempFolder& folder, const std::string& name, const std::string& text) {
  const auto file = CaptionFile::Open(folder.Write(name, text), {.temp_folder = folder.path()});
  EXPECT_TRUE(file.ok()) << file.status();
  std::vector<Read> all;
  for (int64_t i = 0; file.ok() && i < (*file)->size(); ++i) {
    const NumberedCaption read = *(*file)->Read(i);
    EXPECT_EQ(read.caption.index, i);
    all.push_back({read.state, read.state == kBad ? read.fault : read.caption.text, read.line});
  }
  return all;
}

// RELIABILITY.md, "Captions": the line is rejected with its number, the rest goes on.
TEST(CaptionFileTest, JsonlWithEverythingWrong) {
  const TempFolder folder;
  std::string text = "\xEF\xBB\xBF{\"caption\":\"first\"}\r\n";
  text += "\n";
  text += "{\"caption\":\"" + std::string(2 << 20, 'x') + "\"}\n";
  text += std::string("{\"caption\":\"raw \0 nul\"}\n", 24);
  text += "{\"caption\":\"escaped \\u0000 nul\"}\n";
  text += "{\"caption\":\"lone \\ud800 surrogate\"}\n";
  text += "{\"caption\":\"bad \xFF utf-8\"}\n";
  text += "{\"caption\":7}\n[1]\n{\"url\":\"u\"}\n{\"caption\":\"\"}\n";
  text += "{\"input\":\"an input\",\"url\":\"https://a\"}\n";
  text += "{\"caption\":\"torn";
  const std::string no_json = "the line is no JSON; wants an object";
  EXPECT_EQ(ReadAll(folder, "c.jsonl", text),
            (std::vector<Read>{{kGood, "first", 1},
                               {kBad, "the line is too long; wants at most 1048576 bytes", 3},
                               {kBad, no_json, 4},
                               {kBad, "caption holds a NUL; wants none", 5},
                               {kBad, no_json, 6},
                               {kBad, no_json, 7},
                               {kBad, "caption is a number; wants a text", 8},
                               {kBad, "the line is an array; wants an object", 9},
                               {kBad, "caption is missing; wants a text", 10},
                               {kBad, "caption is empty; wants a text", 11},
                               {kGood, "an input", 12},
                               {kBad, no_json, 13}}));
}

TEST(CaptionFileTest, TextAndCsv) {
  const TempFolder folder;
  EXPECT_EQ(
      ReadAll(folder, "c.txt", "one\r\n\n  \ntwo"),
      (std::vector<Read>{{kGood, "one", 1}, {kBad, "caption is empty; wants a text", 3}, {kGood, "two", 4}}));
  EXPECT_EQ(ReadAll(folder, "c.csv",
                    "url, caption ,x\nhttp://a,\"a cat, \"\"two\nlines\"\"\",1\r\nhttp://b\nc,dog\n"),
            (std::vector<Read>{{kGood, "a cat, \"two\nlines\"", 2},
                               {kBad, "the record has 1 fields; wants at least 2", 4},
                               {kGood, "dog", 5}}));
}

TEST(CaptionFileTest, AQuoteThatNobodyClosesCostsItsLineOnly) {
  const TempFolder folder;
  std::string text = "caption\n\"never closed\n";
  for (int i = 0; i < 20'000; ++i) text += "caption " + std::to_string(i) + "\n";
  const std::vector<Read> all = ReadAll(folder, "c.csv", text);
  ASSERT_EQ(all.size(), 20'001u);
  EXPECT_EQ(all[0], (Read{kBad, "a quoted field is not closed; wants a final quote", 2}));
  EXPECT_EQ(all[1], (Read{kGood, "caption 0", 3}));
}

TEST(CaptionFileTest, DuplicatesByCaptionAndByUrlTheFirstWins) {
  const TempFolder folder;
  EXPECT_EQ(
      ReadAll(folder, "c.jsonl",
              "{\"caption\":\"a cat\",\"url\":\"u1\"}\n{\"caption\":\"A  Cat.\",\"url\":\"u2\"}\n"
              "{\"caption\":\"a dog\",\"url\":\"u1\"}\n{\"caption\":\"a cow\"}\n{\"caption\":\"a hen\"}\n"),
      (std::vector<Read>{
          {kGood, "a cat", 1}, {kTwice, "", 2}, {kTwice, "", 3}, {kGood, "a cow", 4}, {kGood, "a hen", 5}}));
}

TEST(DuplicateFinderTest, TellsAllButTheLowestIndex) {
  const TempFolder folder;
  auto finder = DuplicateFinder::Create(folder.path());
  ASSERT_TRUE(finder.ok()) << finder.status();
  constexpr int64_t kLast = (int64_t{1} << 40) - 1;
  EXPECT_TRUE(absl::IsInvalidArgument(finder->Add(kLast + 1, "a")));
  EXPECT_TRUE(absl::IsInvalidArgument(finder->Add(-1, "a")));
  for (int64_t i = 0; i < 10'000; ++i) ASSERT_TRUE(finder->Add(i, std::to_string(i % 9'997)).ok());
  ASSERT_TRUE(finder->Add(kLast, "17").ok());
  std::set<int64_t> found;
  ASSERT_TRUE(finder
                  ->Find([&found](int64_t index) {
                    EXPECT_TRUE(found.insert(index).second);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(found, (std::set<int64_t>{9'997, 9'998, 9'999, kLast}));
}

TEST(CaptionFileTest, ReadsAPipeAndAListAlike) {
  const TempFolder folder;
  const std::string text = "{\"caption\":\"a\",\"url\":\"\"}\n{\"caption\":\"b\",\"url\":\"u\"}\n";
  const std::string fifo = folder.In("pipe.jsonl");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(fifo) << text; });
  const auto piped = CaptionFile::Open(fifo, {.temp_folder = folder.path()});
  writer.join();
  ASSERT_TRUE(piped.ok()) << piped.status();
  const auto listed = CaptionFile::FromList({{.text = "a"}, {.text = "b", .url = "u"}}, folder.path());
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ((*piped)->size(), 2);
  EXPECT_EQ((*piped)->Read(1)->caption.url, "u");
  EXPECT_EQ((*piped)->fingerprint(), (*listed)->fingerprint());
}

TEST(CaptionFileTest, SaysWhatIsNoCaptionsFile) {
  const TempFolder folder;
  const CaptionFile::Options options{.temp_folder = folder.path()};
  EXPECT_TRUE(absl::IsNotFound(CaptionFile::Open(folder.In("none.txt"), options).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(CaptionFile::Open(folder.Write("c.csv", "a,b\nc,d\n"), options).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(CaptionFile::Open(folder.Write("d.csv", ""), options).status()));
  EXPECT_EQ((*CaptionFile::Open(folder.Write("e.txt", ""), options))->size(), 0);
}

TEST(CaptionFileTest, NoticesThatTheFileWasChanged) {
  const TempFolder folder;
  const std::string path = folder.Write("c.jsonl", "{\"caption\":\"aaaa\"}\n{\"caption\":\"b\"}\n");
  const auto file = CaptionFile::Open(path, {.temp_folder = folder.path()});
  folder.Write("c.jsonl", "{\"caption\":123456}\n");
  EXPECT_TRUE(absl::IsDataLoss((*file)->Read(0).status()));
  EXPECT_TRUE(absl::IsOutOfRange((*file)->Read(1).status()));
}

}  // namespace
}  // namespace ip2p
