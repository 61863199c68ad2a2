// Statistics and training files.
#include "common/base/json.h"
#include "common/prompts/prompt_stats.h"
#include "common/prompts/training_examples.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

constexpr const char* kPrompts =
    R"({"caption":"a b c","edit":"Make it red","output":"a b c d","url":"u","model":"m","cost_usd":0.5})"
    "\n"
    R"({"caption":"a","edit":"make, it blue","output":"b","model":"m","cost_usd":0.25})"
    "\nnonsense\n";

TEST(PromptStatsTest, CountsAFileAlone) {
  const TempFolder folder;
  const auto stats = ReadPromptStats(folder.Write("p.jsonl", kPrompts));
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->prompts, 2);
  EXPECT_EQ(stats->unreadable, 1);
  EXPECT_EQ(stats->with_url, 1);
  EXPECT_EQ(stats->verbs, (std::map<std::string, int64_t>{{"make", 2}}));
  EXPECT_EQ(stats->caption.mean(), 2);
  EXPECT_EQ(stats->caption.shortest, 1);
  EXPECT_EQ(stats->output.longest, 4);
  EXPECT_EQ(stats->usd_per_prompt(), 0.375);
  EXPECT_THAT(StatsText(*stats), HasSubstr("verb: make"));
}

TEST(PromptStatsTest, TheJournalTellsOfRejectsAndTheirCost) {
  const TempFolder folder;
  folder.Write(
      "p.jsonl.journal",
      "{\"index\":0,\"outcome\":\"unchanged\",\"requests\":3,\"cost_micro_usd\":3000000}\n"
      "{\"spent\":1,\"reserved\":1}\n{\"index\":1,\"outcome\":\"unchanged\",\"requests\":1}\n{\"torn");
  const auto stats = ReadPromptStats(folder.Write("p.jsonl", kPrompts));
  ASSERT_TRUE(stats.ok()) << stats.status();
  const nlohmann::json json = nlohmann::json::parse(StatsJson(*stats));
  EXPECT_EQ(json["rejected"], (nlohmann::json{{"unchanged", 2}}));
  EXPECT_EQ(json["requests"], 4);
  EXPECT_EQ(json["cost_usd_per_prompt"], 1.5);
}

TEST(PromptStatsTest, NoPromptsAndNoFile) {
  const TempFolder folder;
  EXPECT_EQ(ReadPromptStats(folder.Write("p.jsonl", ""))->usd_per_prompt(), 0);
  EXPECT_TRUE(absl::IsNotFound(ReadPromptStats(folder.In("none")).status()));
}

constexpr const char* kExample = R"({"input":"a barn","edit":"add snow","output":"a barn in the snow"})";

TEST(TrainingExamplesTest, TheReferencesCompletionFormat) {
  const auto file = PrepareExamples(kExample, TrainingShape::kCompletion);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->text,
            "{\"prompt\":\"a barn\\n##\\n\",\"completion\":\"add snow\\n%%\\na barn in the snow\\nEND\"}\n");
  EXPECT_EQ(file->examples, 1);
  EXPECT_EQ(file->warnings.size(), 1u);  // providers want ten
}

TEST(TrainingExamplesTest, ChatEndsWithTheAnswer) {
  const auto file = PrepareExamples(kExample, TrainingShape::kChat);
  ASSERT_TRUE(file.ok());
  const nlohmann::json messages = nlohmann::json::parse(file->text)["messages"];
  EXPECT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[1]["content"], "a barn");
  EXPECT_EQ(messages[2]["role"], "assistant");
  EXPECT_EQ(messages[2]["content"], R"({"edit":"add snow","output":"a barn in the snow"})");
}

TEST(TrainingExamplesTest, EveryFaultByItsLine) {
  std::string text = kExample;
  text += "\n\nnonsense\n";
  text += R"({"input":"A Barn","edit":"Add  snow","output":"x"})"
          "\n";
  text += R"({"input":"b","edit":"e","output":"B."})"
          "\n";
  text += R"({"input":"c ## d","edit":"50%% off\n","output":"o"})"
          "\n";
  text += R"({"input":"d","edit":"e","output":")" + std::string(1001, 'o') + "\"}\n";
  text += R"({"input":"e","edit":"e","output":" o"})"
          "\n";
  const auto file = PrepareExamples(text, TrainingShape::kChat);
  EXPECT_EQ(file.status().message(),
            "line 3: the line is no JSON; wants an object\n"
            "line 4: input and edit were there before; wants each once\n"
            "line 5: output equals input; wants the caption after the edit\n"
            "line 6: input holds the delimiter \"##\"; wants none\n"
            "line 6: edit holds a control character or line break; wants one line\n"
            "line 6: edit holds the delimiter \"%%\"; wants none\n"
            "line 6: edit has blanks around it; wants none\n"
            "line 7: output is 1001 bytes; wants at most 1000\n"
            "line 8: output has blanks around it; wants none");
  EXPECT_TRUE(absl::IsInvalidArgument(PrepareExamples("", TrainingShape::kChat).status()));
}

}  // namespace
}  // namespace ip2p
