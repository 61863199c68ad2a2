// Rows of a prompts file.
#include "common/dataset/prompts_file.h"

#include <sys/stat.h>

#include <vector>

#include "common/base/sha256.h"
#include "gmock/gmock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;

constexpr char kText[] =
    "\xEF\xBB\xBF{\"caption\":\"a\",\"edit\":\"e\",\"output\":\"b\"}\r\n"
    " \t\r\n"
    "[]\n"
    "{\"input\":\"c\",\"edit\":\"e\",\"output\":\"d\"}";  // no newline at the end

std::vector<std::string> CaptionsOf(PromptsFile& file, Share share) {
  EXPECT_TRUE(file.Rewind(share).ok());
  std::vector<std::string> captions;
  PromptRow row;
  for (;;) {
    const absl::StatusOr<bool> more = file.Next(row);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) return captions;
    EXPECT_EQ(row.index, share.begin + static_cast<int64_t>(captions.size()));
    captions.push_back(row.status.ok() ? row.prompt.caption : "bad");
  }
}

TEST(PromptsFileTest, RowsByShare) {
  const TempFolder folder;
  const auto file = PromptsFile::Open(folder.Write("p.jsonl", kText));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 3);
  EXPECT_EQ((*file)->sha256(), Sha256Hex(kText));
  EXPECT_THAT(CaptionsOf(**file, {0, 3}), ElementsAre("a", "bad", "c"));
  EXPECT_THAT(CaptionsOf(**file, {1, 2}), ElementsAre("bad"));
  EXPECT_THAT(CaptionsOf(**file, {2, 3}), ElementsAre("c"));
}

TEST(PromptsFileTest, WhatIsNoFile) {
  const TempFolder folder;
  EXPECT_EQ(PromptsFile::Open(folder.In("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PromptsFile::Open(folder.path()).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo(folder.In("fifo").c_str(), 0600), 0);
  EXPECT_EQ(PromptsFile::Open(folder.In("fifo")).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PromptsFileTest, AFileThatShrinksIsTold) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "{\"caption\":\"a\",\"edit\":\"e\",\"output\":\"b\"}\n";
  const auto file = PromptsFile::Open(folder.Write("p.jsonl", text));
  ASSERT_TRUE(file.ok());
  folder.Write("p.jsonl", "");  // the same file, cut
  EXPECT_EQ((*file)->Rewind({2000, 3000}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ip2p
