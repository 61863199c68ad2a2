#include <string>

#include "common/openai/endpoints.h"
#include "common/prompts/batch_file.h"
#include "common/prompts/batch_state.h"
#include "common/prompts/chat_format.h"
#include "common/prompts/completion_format.h"
#include "common/prompts/training_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(CompletionFormatTest, IsTheReferences) {
  EXPECT_EQ(CompletionPrompt("a house"), "a house\n##\n");
  EXPECT_EQ(CompletionText("make it winter", "a house in winter"),
            "make it winter\n%%\na house in winter\nEND");
  const WrittenEdit winter{"make it winter", "a house in winter"};
  EXPECT_EQ(ParseCompletion("make it winter\n%%\na house in winter\nEND"), winter);
  EXPECT_EQ(ParseCompletion(" make it winter\n%%\na house in winter "), winter);
  EXPECT_EQ(ParseCompletion("make it winter\n%%\na house in winter\nEND\nand more"), winter);
  for (const char* text :
       {"", "make it winter", "\n%%\nx", "x\n%%\n", "a\n%%\nb\n%%\nc", "a %% b", "two\nlines\n%%\nx"}) {
    EXPECT_FALSE(ParseCompletion(text).has_value()) << text;
  }
}

TEST(ChatFormatTest, AnswersComeBack) {
  const std::string odd = "say \"\xc3\xa9t\xc3\xa9\" \\ %%";
  EXPECT_EQ(ParseChatAnswer(ChatAnswer(odd, "x")), (WrittenEdit{odd, "x"}));
  EXPECT_EQ(ChatAnswer("e", "o"), R"({"edit":"e","output":"o"})");
  EXPECT_FALSE(ParseChatAnswer(ChatAnswer(std::string(5000, 'x'), "o")).has_value());
}

TEST(TrainingFileTest, NamesTheLineAtFault) {
  const std::string good = "{\"prompt\": \"a\\n##\\n\", \"completion\": \"e\\n%%\\no\\nEND\"}\n";
  std::string file;
  for (int i = 0; i < 10; ++i) file += good;
  EXPECT_TRUE(CheckTrainingFile(file, TrainingShape::kCompletion, "f").ok());
  EXPECT_TRUE(CheckTrainingFile(file.substr(0, file.size() - 1), TrainingShape::kCompletion, "f").ok());
  const auto message = [](const std::string& text, TrainingShape shape) {
    return std::string(CheckTrainingFile(text, shape, "f").message());
  };
  EXPECT_THAT(message(good, TrainingShape::kCompletion), ::testing::HasSubstr("1 lines"));
  EXPECT_THAT(message(file + "{}\n", TrainingShape::kCompletion), ::testing::HasSubstr("line 11 of f"));
  EXPECT_THAT(message(file, TrainingShape::kChat), ::testing::HasSubstr("line 1 of f: messages"));
  EXPECT_THAT(message(std::string(kMaxTrainingBytes + 1, ' '), TrainingShape::kChat),
              ::testing::HasSubstr("bytes"));
  EXPECT_EQ(ShapeFor("davinci-002"), TrainingShape::kCompletion);
  EXPECT_EQ(ShapeFor("ft:babbage-002:x"), TrainingShape::kCompletion);
  EXPECT_EQ(ShapeFor("gpt-4o-mini"), TrainingShape::kChat);
}

TEST(BatchStateTest, ComesBackAndRefusesDamage) {
  const BatchState state{"run-1", 2, 40, {{"batch_1", 0, 20, 7}, {"", 20, 40, 8}}};
  const auto back = ParseBatchState(ToJson(state));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, state);
  for (const char* text :
       {"", "[]", "{}", R"({"run": "r"})", R"({"run": "../x y", "open": []})",
        R"({"run": "r", "open": [{"id": "a/b"}]})", R"({"run": "r", "open": [{"first": 3, "end": 2}]})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseBatchState(text).status())) << text;
  }
}

TEST(BatchFileTest, AsksAndReads) {
  const TokenPrice price{.input = 1, .output = 2};
  int64_t worst = 0;
  const std::string line = BatchLine(OpenAiStyle::kChat, "m", {42, "a house", ""}, {}, 7, price, &worst);
  const auto request = nlohmann::json::parse(line);
  EXPECT_EQ(request["custom_id"], "caption-42");
  EXPECT_EQ(request["url"], "/v1/chat/completions");
  EXPECT_EQ(request["body"]["messages"][1]["content"], "a house");
  EXPECT_EQ(line.back(), '\n');
  EXPECT_GE(worst, 2 * 256 + static_cast<int64_t>(request["body"].dump().size()));

  const auto parse = [&](const std::string& text) {
    return ParseBatchAnswer(text, OpenAiStyle::kChat, price, 256, ApiKey());
  };
  const auto good = parse(
      R"({"custom_id": "caption-42", "response": {"status_code": 200, "body": {"model": "m", "choices": [{"message":
      {"content": "{\"edit\": \"e\", \"output\": \"o\"}"}}], "usage": {"prompt_tokens": 10, "completion_tokens": 3}}}})");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->index, 42);
  EXPECT_EQ(good->attempt.result, AttemptResult::kAnswered);
  EXPECT_EQ(good->attempt.usage.cost_micro_usd, 16);
  const auto failed = parse(R"({"custom_id": "caption-1", "response": {"status_code": 429, "body": {}}})");
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->attempt.result, AttemptResult::kProviderError);
  for (const char* odd : {"", "x", "{}", R"({"custom_id": "other-1"})", R"({"custom_id": "caption--1"})",
                          R"({"custom_id": "caption-99999999999999999999"})", R"({"custom_id": 42})"}) {
    EXPECT_FALSE(parse(odd).has_value()) << odd;
  }
}

TEST(EndpointsTest, IdsCannotLeaveTheirPath) {
  for (const char* good : {"ftjob-1", "batch_abc", "file.1", "ft:m:o::x"})
    EXPECT_TRUE(IsProviderId(good)) << good;
  for (const char* bad : {"", ".", "..", "a/b", "a?b", "a#b", "a b", "a\n", "%2e", "a..b"}) {
    EXPECT_FALSE(IsProviderId(bad)) << bad;
  }
  EXPECT_FALSE(IsProviderId(std::string(129, 'a')));
}

TEST(EndpointsTest, UploadsAreMultipart) {
  const ApiRequest request = UploadRequest("batch", "f.jsonl", "{\"a\": 1}\n");
  const std::string boundary = request.content_type.substr(request.content_type.find('=') + 1);
  EXPECT_THAT(request.body, ::testing::StartsWith("--" + boundary + "\r\n"));
  EXPECT_THAT(request.body, ::testing::EndsWith("{\"a\": 1}\n\r\n--" + boundary + "--\r\n"));
  EXPECT_THAT(request.body, ::testing::HasSubstr("name=\"purpose\"\r\n\r\nbatch\r\n"));
}

TEST(EndpointsTest, CutsTextsBetweenCharacters) {
  EXPECT_EQ(CutText("h\xc3\xa9llo", 2), "h");
  EXPECT_EQ(CutText("h\xc3\xa9llo", 3), "h\xc3\xa9");
  EXPECT_EQ(CutText("short", 10), "short");
}

}  // namespace
}  // namespace ip2p
