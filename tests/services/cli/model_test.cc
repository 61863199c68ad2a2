// `ip2p model`: faults and codes, and the standard vocabulary as files. Whole conversions are in
// tests/parity, where a real model and diffusers are at hand.
#include <gmock/gmock.h>

#include "common/model/tokenizer/vocabulary_file.h"
#include "services/cli/standard_vocabulary.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelTest : public testing::CliTest {};

TEST_F(ModelTest, WrongFlagsAreUsageFaults) {
  EXPECT_EQ(Run({"model"}), kExitUsage);
  EXPECT_EQ(Run({"model", "inspect"}), kExitUsage);
  EXPECT_EQ(Run({"model", "convert", "a"}), kExitUsage);
  EXPECT_EQ(Run({"model", "convert", "a", "b", "--to", "onnx"}), kExitUsage);
  EXPECT_EQ(Run({"model", "inspect", "a", "--prediction", "sample"}), kExitUsage);
}

TEST_F(ModelTest, WhatIsNoModelIsBadInput) {
  EXPECT_EQ(Run({"model", "inspect", Path("none")}), kExitBadInput);
  const std::string text = Put("text.safetensors", "this is no model");
  EXPECT_EQ(Run({"model", "inspect", text}), kExitBadInput);
  EXPECT_EQ(Run({"model", "convert", text, Path("folder")}), kExitBadInput);
  EXPECT_THAT(err_.str(), StartsWith("ip2p: "));
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST(FillVocabularyTest, FilesHoldTheStandardTable) {
  ModelSource source;
  ASSERT_TRUE(FillVocabulary(source).ok());
  EXPECT_THAT(source.vocab_json, StartsWith("{\"!\": 0, \"\\\"\": 1, \"#\": 2"));
  EXPECT_THAT(source.vocab_json, HasSubstr("\"<|endoftext|>\": 49407}"));
  EXPECT_THAT(source.merges_txt, StartsWith("#version: 0.2\ni n\nt h\n"));
  const auto read = ParseTokenTable(source.vocab_json, source.merges_txt);
  ASSERT_TRUE(read.ok()) << read.status();
  const auto standard = ReadStandardTokenTable();
  ASSERT_TRUE(standard.ok()) << standard.status();
  EXPECT_EQ(read->vocabulary, standard->vocabulary);
  EXPECT_EQ(read->merges, standard->merges);
}

TEST(FillVocabularyTest, OwnVocabularyStays) {
  ModelSource source;
  source.vocab_json = "{}";
  source.merges_txt = "#";
  ASSERT_TRUE(FillVocabulary(source).ok());
  EXPECT_EQ(source.vocab_json, "{}");
}

TEST(FillVocabularyTest, AnotherSizeIsRefused) {
  ModelSource source;
  source.config.text_encoder.vocab_size = 1000;
  EXPECT_EQ(FillVocabulary(source).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ip2p
