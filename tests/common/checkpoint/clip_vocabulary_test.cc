// The standard vocabulary's file: found through the environment, refused when torn.
#include "common/checkpoint/clip_vocabulary.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>

#include "common/base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

constexpr size_t kMerges = 49152 - 256 - 2;

class ClipVocabularyTest : public ::testing::Test {
 protected:
  // Gzips `merges` made-up merges behind a version line and points the environment at them.
  void Install(size_t merges) {
    std::string text = "\"bpe_simple_vocab_16e6.txt#version: 0.2\n";
    for (size_t i = 0; i < merges; ++i) text += "a" + std::to_string(i) + " b</w>\n";
    const std::string path = temp_.Path("vocab.gz");
    gzFile file = gzopen(path.c_str(), "wb1");
    ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
    gzclose(file);
    setenv("IP2P_CLIP_VOCAB", path.c_str(), 1);
  }
  void SetUp() override {
    if (const char* old = std::getenv("IP2P_CLIP_VOCAB")) old_ = old;
  }
  void TearDown() override {
    if (old_.empty()) {
      unsetenv("IP2P_CLIP_VOCAB");
    } else {
      setenv("IP2P_CLIP_VOCAB", old_.c_str(), 1);
    }
  }
  testing::TempFolder temp_;
  std::string old_;
};

TEST_F(ClipVocabularyTest, NumbersBytesThenMergesThenSpecialTokens) {
  Install(kMerges + 100);  // the published file has more than are used
  const auto files = StandardVocabularyFiles();
  ASSERT_TRUE(files.ok()) << files.status();
  const auto vocabulary = nlohmann::json::parse(files->vocab_json);
  EXPECT_EQ(vocabulary.size(), 49408u);
  EXPECT_EQ(vocabulary["!"], 0);
  EXPECT_EQ(vocabulary["~"], 93);
  EXPECT_EQ(vocabulary["¡"], 94);
  EXPECT_EQ(vocabulary["Ā"], 188);  // byte 0, moved
  EXPECT_EQ(vocabulary["!</w>"], 256);
  EXPECT_EQ(vocabulary["a0b</w>"], 512);
  EXPECT_EQ(vocabulary["<|startoftext|>"], 49406);
  EXPECT_EQ(vocabulary["<|endoftext|>"], 49407);
  EXPECT_TRUE(files->merges_txt.starts_with("#version: 0.2\na0 b</w>\n"));
  EXPECT_EQ(std::count(files->merges_txt.begin(), files->merges_txt.end(), '\n'),
            static_cast<long>(kMerges + 1));
}

TEST_F(ClipVocabularyTest, RefusesFilesThatAreAbsentTornOrShort) {
  setenv("IP2P_CLIP_VOCAB", temp_.Path("absent").c_str(), 1);
  const absl::Status status = StandardVocabularyFiles().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("run deploy/setup.sh"));
  Install(10);
  EXPECT_EQ(StandardVocabularyFiles().status().code(), absl::StatusCode::kDataLoss);
  Install(kMerges);
  const std::string whole = testing::ReadAll(temp_.Path("vocab.gz"));
  temp_.Write("vocab.gz", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(StandardVocabularyFiles().status().code(), absl::StatusCode::kDataLoss);
}

TEST(FillVocabulary, OwnVocabularyStays) {
  ModelSource source;
  source.vocab_json = "{}";
  source.merges_txt = "#";
  ASSERT_TRUE(FillVocabulary(source).ok());
  EXPECT_EQ(source.vocab_json, "{}");
}

TEST(FillVocabulary, AnotherSizeIsRefused) {
  ModelSource source;
  source.config.text_encoder.vocab_size = 1000;
  EXPECT_EQ(FillVocabulary(source).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ip2p
