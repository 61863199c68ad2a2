// `ip2p model`: faults and codes. Whole conversions are in
// tests/parity, where a real model and diffusers are at hand.
#include <gmock/gmock.h>

#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::AllOf;
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

TEST_F(ModelTest, VocabularyHoldsEveryWordOfThePrompts) {
  const std::string prompts =
      Put("prompts.jsonl", R"({"caption": "a red circle", "edit": "make it blue", "output": "a blue circle"})"
                           "\n");
  ASSERT_EQ(Run({"model", "vocabulary", prompts, "-o", Path("tokenizer"), "--max-positions", "40"}), kExitOk)
      << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("from 3 texts"));
  EXPECT_THAT(Get("tokenizer/vocab.json"), AllOf(HasSubstr("circle</w>"), HasSubstr("blue</w>")));
  EXPECT_THAT(Get("tokenizer/merges.txt"), StartsWith("#version"));
  EXPECT_THAT(Get("tokenizer/tokenizer_config.json"), HasSubstr("\"model_max_length\": 40"));
  EXPECT_EQ(Run({"model", "vocabulary", prompts, "-o", Path("tokenizer")}), kExitBadInput);  // is there
}

TEST_F(ModelTest, VocabularyWantsPromptsOnly) {
  const std::string prompts = Put("prompts.jsonl", R"({"caption": "a", "edit": "b", "output": "c"})"
                                                   "\n{}\n");
  EXPECT_EQ(Run({"model", "vocabulary", prompts, "-o", Path("tokenizer")}), kExitBadInput);
  EXPECT_FALSE(Exists("tokenizer"));
}

}  // namespace
}  // namespace ip2p
