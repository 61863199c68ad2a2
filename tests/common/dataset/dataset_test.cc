#include <fcntl.h>
#include <unistd.h>

#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"
#include "common/dataset/prompt.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

struct ReadLine {
  std::string text;
  int64_t number, offset, bytes;
  bool too_long, torn;
  friend bool operator==(const ReadLine&, const ReadLine&) = default;
};

std::vector<ReadLine> LinesOf(const std::string& text, size_t limit) {
  const TempFolder folder;
  const int fd = open(folder.Write("f", text).c_str(), O_RDONLY);
  LineReader reader(fd, "the file", limit);
  std::vector<ReadLine> lines;
  FileLine line;
  while (*reader.Next(line)) {
    lines.push_back({std::string(line.text), line.number, line.offset, line.bytes, line.too_long, line.torn});
  }
  close(fd);
  return lines;
}

TEST(LineReaderTest, LinesWithTheirPlaces) {
  EXPECT_EQ(LinesOf("", 10), std::vector<ReadLine>());
  EXPECT_EQ(LinesOf("ab\n\ncd\r\nx", 10), (std::vector<ReadLine>{{"ab", 1, 0, 2, false, false},
                                                                 {"", 2, 3, 0, false, false},
                                                                 {"cd\r", 3, 4, 3, false, false},
                                                                 {"x", 4, 8, 1, false, true}}));
}

TEST(LineReaderTest, ALongLineIsCutAndTheNextIsWhole) {
  const std::string big(200'000, 'a');  // spans several reads
  const std::vector<ReadLine> lines = LinesOf(big + "\nnext\n", 100);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], (ReadLine{big.substr(0, 100), 1, 0, 200'000, true, false}));
  EXPECT_EQ(lines[1], (ReadLine{"next", 2, 200'001, 4, false, false}));
}

TEST(LineReaderTest, SeeksBack) {
  const TempFolder folder;
  const int fd = open(folder.Write("f", "one\ntwo\nthree\n").c_str(), O_RDONLY);
  LineReader reader(fd, "the file", 100);
  FileLine first, line;
  ASSERT_TRUE(*reader.Next(first));
  const FileLine copy = first;
  ASSERT_TRUE(*reader.Next(line) && *reader.Next(line));
  ASSERT_TRUE(reader.SeekAfter(copy).ok());
  ASSERT_TRUE(*reader.Next(line));
  EXPECT_EQ(line.text, "two");
  EXPECT_EQ(line.number, 2);
  close(fd);
}

TEST(PromptTest, ALineComesBack) {
  const Prompt prompt{
      .caption = "a cat \"here\"\n\xC3\xA9",
      .edit = "make it a dog",
      .output = "a dog",
      .url = "https://example.com/?a=1",
      .model = "gpt",
      .usage = {.requests = 3, .prompt_tokens = 170, .completion_tokens = 24, .cost_micro_usd = 123}};
  const std::string line = PromptLine(prompt);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_THAT(line, HasSubstr("\"cost_usd\":0.000123"));
  EXPECT_EQ(*ParsePromptLine(line), prompt);
}

TEST(PromptTest, ReadsThePublishedDatasets) {
  const auto prompt = ParsePromptLine(R"({"input":"a","edit":"b","output":"c","url":null,"extra":[1]})");
  ASSERT_TRUE(prompt.ok());
  EXPECT_EQ(prompt->caption, "a");
  EXPECT_EQ(prompt->url, "");
}

TEST(PromptTest, SaysWhatIsWrong) {
  const auto fault = [](const char* line) { return std::string(ParsePromptLine(line).status().message()); };
  EXPECT_EQ(fault("{"), "the line is no JSON; wants an object");
  EXPECT_EQ(fault("[1]"), "the line is an array; wants an object");
  EXPECT_EQ(fault(R"({"caption":1,"edit":"b","output":"c"})"), "caption is a number; wants a text");
  EXPECT_EQ(fault(R"({"caption":"a","edit":"b"})"), "output is missing; wants a text");
  EXPECT_EQ(fault(R"({"caption":"\ud800","edit":"b","output":"c"})"), "the line is no JSON; wants an object");
  EXPECT_EQ(fault((std::string(100'000, '[') + "1").c_str()),
            "the line nests too deeply; wants at most 64 levels");
}

}  // namespace
}  // namespace ip2p
