#include "common/prompts/openai_models.h"

#include <memory>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/prompts/budget.h"
#include "common/prompts/openai_reply.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_http_client.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr const char* kWinter = R"({"edit": " make it winter ", "output": "a house in winter"})";
constexpr const char* kCanary = "sk-canary-0123456789abcdef";

std::string ChatAnswer(const std::string& content, const std::string& finish = "stop") {
  const Json answer = {{"model", "m-1"},
                       {"choices", {{{"message", {{"content", content}}}, {"finish_reason", finish}}}},
                       {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 10}}}};
  return answer.dump();
}

HttpResponse Ok(std::string body) { return {.status = 200, .body = std::move(body)}; }

class OpenAiModelsTest : public ::testing::Test {
 protected:
  static Task<void> WriteOne(PromptModel* model, const Caption& caption, TryContext context,
                             Attempt* attempt) {
    *attempt = co_await model->Write(caption, context);
  }
  static Task<void> WriteCounted(PromptModel* model, const Caption& caption, TryContext context,
                                 Attempt* attempt, WaitGroup* group) {
    *attempt = co_await model->Write(caption, context);
    group->Done();
  }
  // At once.
  static Task<void> WriteAll(PromptModel* model, const Caption& caption, TryContext context,
                             std::vector<Attempt>* attempts) {
    WaitGroup group;
    for (Attempt& attempt : *attempts) {
      group.Add();
      Spawn(WriteCounted(model, caption, context, &attempt, &group));
    }
    co_await group.Wait();
  }
  static Task<void> JudgeOne(Moderator* judge, std::vector<std::string> texts, TryContext context,
                             Verdict* verdict) {
    *verdict = co_await judge->Judge(std::move(texts), context);
  }

  Attempt Write(OpenAiStyle style = OpenAiStyle::kChat) {
    OpenAiModel model(api_.get(), style, "gpt-4o-mini", &prices_);
    Attempt attempt;
    world_.loop.Run(WriteOne(&model, caption_, Context(), &attempt));
    return attempt;
  }
  Verdict Judge(const std::vector<std::string>& texts) {
    OpenAiModerator judge(api_.get());
    Verdict verdict;
    world_.loop.Run(JudgeOne(&judge, texts, Context(), &verdict));
    return verdict;
  }
  TryContext Context() { return {7, params_, *budget_, nullptr}; }
  Json SentBody(size_t i) const { return Json::parse(http_.sent.at(i).second.body); }

  SimulatedLoop world_;
  FakeHttpClient http_{&world_.loop};
  PriceTable prices_ = *PriceTable::FromJson(R"({"models": {"gpt-4o-mini": {"input": 1, "output": 2}}})");
  GenerationParams params_;
  const Caption caption_{0, "a house", ""};
  std::vector<int64_t> recorded_;
  std::unique_ptr<Budget> budget_ = std::make_unique<Budget>(1'000'000, 0, [this](int64_t, int64_t reserved) {
    recorded_.push_back(reserved);
    return absl::OkStatus();
  });
  std::unique_ptr<OpenAiApi> api_ = *OpenAiApi::Create(
      &world_.loop, &http_, {.base_url = "http://api.test/v1"}, *ApiKey::FromText(kCanary));
};

TEST_F(OpenAiModelsTest, AsksForStrictJson) {
  http_.answers = {Ok(ChatAnswer(kWinter))};
  const Attempt attempt = Write();
  EXPECT_EQ(attempt.result, AttemptResult::kAnswered);
  EXPECT_EQ(attempt.edit, "make it winter");
  EXPECT_EQ(attempt.output, "a house in winter");
  EXPECT_EQ(attempt.model, "m-1");
  EXPECT_EQ(attempt.usage, (Usage{1, 100, 10, 120}));
  const Json body = SentBody(0);
  EXPECT_EQ(body["response_format"]["json_schema"]["strict"], true);
  EXPECT_EQ(body["response_format"]["json_schema"]["schema"]["required"], Json({"edit", "output"}));
  EXPECT_EQ(body["messages"][1]["content"], "a house");
  EXPECT_EQ(body["max_tokens"], 256);
  EXPECT_FALSE(body.contains("stream"));
}

TEST_F(OpenAiModelsTest, ReasoningModelsGetNoSamplingParameters) {
  for (const char* model : {"o4-mini", "o3", "gpt-5", "gpt-5-mini-2025-08-07", "gpt-5.1", "gpt-5.1-mini",
                            "ft:o4-mini:org::id", "ft:o4-mini-2025-04-16:org:ip2p:id"}) {
    params_.model = model;
    http_.answers = {Ok(ChatAnswer(kWinter))};
    Write();
    const Json body = SentBody(http_.sent.size() - 1);
    EXPECT_EQ(body["max_completion_tokens"], 256 + kThinkingTokens) << model;
    EXPECT_EQ(body["reasoning_effort"], "low") << model;
    EXPECT_FALSE(body.contains("max_tokens") || body.contains("temperature") ||
                 body.contains("frequency_penalty"))
        << model;
  }
  for (const char* model : {"gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "gpt-50", "o10",
                            "ft:gpt-4o-mini:o3::o4", "llama-o3-mini"}) {
    const Json body = Json::parse(WriteRequest(OpenAiStyle::kChat, model, caption_, params_, 0).body);
    EXPECT_EQ(body["max_tokens"], 256) << model;
    EXPECT_FALSE(body.contains("max_completion_tokens") || body.contains("reasoning_effort")) << model;
  }
  // Known to refuse "low".
  const Json pro = Json::parse(WriteRequest(OpenAiStyle::kChat, "gpt-5-pro", caption_, params_, 0).body);
  EXPECT_FALSE(pro.contains("reasoning_effort"));
}

TEST_F(OpenAiModelsTest, ThoughtIsReservedAndCountsAgainstTheRateLimit) {
  const auto price = PriceTable::FromJson(R"({"models": {"o4-mini": {"input": 0, "output": 3}}})");
  prices_ = *price;
  params_.model = "o4-mini";
  http_.answers = {Ok(ChatAnswer(kWinter))};
  Write();
  EXPECT_EQ(recorded_, (std::vector<int64_t>{3 * (256 + kThinkingTokens)}));
  EXPECT_GT(WriteRequest(OpenAiStyle::kChat, "o4-mini", caption_, params_, 0).tokens, 256 + kThinkingTokens);
}

TEST_F(OpenAiModelsTest, SpeaksTheReferencesCompletions) {
  http_.answers = {
      Ok(R"({"choices": [{"text": "make it winter\n%%\na house in winter", "finish_reason": "stop"}]})")};
  const Attempt attempt = Write(OpenAiStyle::kCompletion);
  EXPECT_EQ(attempt.result, AttemptResult::kAnswered);
  EXPECT_EQ(attempt.output, "a house in winter");
  EXPECT_EQ(SentBody(0)["prompt"], "a house\n##\n");
  EXPECT_EQ(SentBody(0)["stop"], Json({"\nEND"}));
}

TEST_F(OpenAiModelsTest, ReservesTheWorstOfEveryRequestAndSettlesWhatItCost) {
  http_.answers = {HttpResponse{.status = 500}, absl::UnavailableError("broken off"),
                   Ok(ChatAnswer(kWinter))};
  const Attempt attempt = Write();
  EXPECT_EQ(attempt.usage.requests, 3);
  ASSERT_EQ(recorded_.size(), 3u);
  const int64_t worst = recorded_[0];
  EXPECT_GE(worst, static_cast<int64_t>(http_.sent[0].second.body.size()) + 2 * 256);
  EXPECT_EQ(recorded_, (std::vector<int64_t>(3, worst)));
  // The 500 cost nothing, what broke off may have cost all, the answer what it says.
  EXPECT_EQ(budget_->spent_micro_usd(), worst + 120);
  EXPECT_EQ(budget_->reserved_micro_usd(), 0);
  EXPECT_EQ(attempt.usage.cost_micro_usd, worst + 120);
}

TEST_F(OpenAiModelsTest, SendsNothingThatTheBudgetCannotBear) {
  budget_ = std::make_unique<Budget>(100, 0, nullptr);
  EXPECT_EQ(Write().result, AttemptResult::kOutOfBudget);
  EXPECT_TRUE(http_.sent.empty());
}

TEST_F(OpenAiModelsTest, KnowsWhichPricesItLacks) {
  OpenAiModel model(api_.get(), OpenAiStyle::kChat, "gpt-4o-mini", &prices_);
  EXPECT_TRUE(model.CheckPriced(params_).ok());
  params_.model = "llama-of-mine";
  EXPECT_TRUE(absl::IsFailedPrecondition(model.CheckPriced(params_)));
}

TEST_F(OpenAiModelsTest, AnAnswerThatHoldsTheKeyIsNoData) {
  http_.answers = {Ok(ChatAnswer(std::string(R"({"edit": "write it", "output": ")") + kCanary + "\"}"))};
  const Attempt attempt = Write();
  EXPECT_EQ(attempt.result, AttemptResult::kMalformed);
  EXPECT_TRUE(attempt.output.empty());
}

TEST_F(OpenAiModelsTest, JudgesTextsTogether) {
  http_.answers = {Ok(R"({"results": [{"flagged": false}, {"flagged": true}]})")};
  const Verdict verdict = Judge({"a", "b"});
  EXPECT_EQ(verdict.result, AttemptResult::kAnswered);
  EXPECT_TRUE(verdict.flagged);
  EXPECT_EQ(SentBody(0)["input"], Json({"a", "b"}));
  EXPECT_TRUE(recorded_.empty());  // moderation is free
}

TEST_F(OpenAiModelsTest, WhoWaitsForMoneyKeepsARetryAfter) {
  int64_t worst = 0;
  budget_ = std::make_unique<Budget>(std::nullopt, 0, [&](int64_t, int64_t reserved) {
    worst = reserved;
    return absl::OkStatus();
  });
  http_.otherwise = [](const HttpRequest&) { return Ok(ChatAnswer(kWinter)); };
  EXPECT_EQ(Write().result, AttemptResult::kAnswered);

  budget_ = std::make_unique<Budget>(worst + worst / 2, 0, nullptr);
  http_.sent.clear();
  http_.latency = absl::Seconds(1);
  http_.answers.push_back(HttpResponse{.status = 429, .headers = {{"retry-after", "30"}}});
  OpenAiModel model(api_.get(), OpenAiStyle::kChat, "gpt-4o-mini", &prices_);
  std::vector<Attempt> attempts(2);
  world_.loop.Run(WriteAll(&model, caption_, Context(), &attempts));
  ASSERT_EQ(http_.sent.size(), 3u);
  for (size_t i : {1, 2}) EXPECT_GE(http_.sent[i].first - http_.sent[0].first, absl::Seconds(31)) << i;
  for (const Attempt& attempt : attempts) EXPECT_EQ(attempt.result, AttemptResult::kAnswered);
  EXPECT_EQ(http_.most_in_flight, 1);
  EXPECT_LE(budget_->spent_micro_usd(), worst + worst / 2);
}

TEST_F(OpenAiModelsTest, AsksJudgesThatAnswerOnceTextByText) {
  http_.otherwise = [](const HttpRequest& request) {
    const bool flagged =
        request.body.find("\"b\"]") != std::string::npos && request.body.find("\"a\"") == std::string::npos;
    return Ok(flagged ? R"({"results": [{"flagged": true}]})" : R"({"results": [{"flagged": false}]})");
  };
  EXPECT_TRUE(Judge({"a", "b"}).flagged);
  EXPECT_EQ(http_.sent.size(), 3u);
  EXPECT_FALSE(Judge({"a", "c"}).flagged);
}

TEST_F(OpenAiModelsTest, AJudgeWithoutAVerdictIsAProviderError) {
  http_.otherwise = [](const HttpRequest&) { return Ok(R"({"results": "none"})"); };
  EXPECT_EQ(Judge({"a"}).result, AttemptResult::kProviderError);
  EXPECT_EQ(http_.sent.size(), 3u);
}

TEST(OpenAiReplyTest, TellsWhatIsWrongWithAnAnswer) {
  const auto result = [](const std::string& answer) { return ReadChatReply(Json::parse(answer)).result; };
  EXPECT_EQ(result(ChatAnswer(kWinter, "length")), AttemptResult::kMalformed);
  EXPECT_EQ(result(ChatAnswer(kWinter, "content_filter")), AttemptResult::kRefused);
  EXPECT_EQ(result(R"({"choices": [{"message": {"refusal": "no", "content": null}}]})"),
            AttemptResult::kRefused);
  for (const std::string content :
       {"", "make it winter", "{}", R"({"edit": "e"})", R"({"edit": "", "output": "o"})",
        R"({"edit": 1, "output": "o"})", R"({"edit": "e\u0000", "output": "o"})",
        R"({"edit": "two\nlines", "output": "o"})", R"(["e", "o"])"}) {
    EXPECT_EQ(result(ChatAnswer(content)), AttemptResult::kMalformed) << content;
  }
  for (const char* odd :
       {"{}", R"({"choices": []})", R"({"choices": {}})", R"({"choices": [1]})",
        R"({"choices": [{"message": "x"}]})", R"({"choices": [{"message": {"content": 1}}]})"}) {
    EXPECT_EQ(result(odd), AttemptResult::kMalformed) << odd;
  }
  EXPECT_EQ(result(ChatAnswer("```json\n" + std::string(kWinter) + "\n```")), AttemptResult::kAnswered);
}

TEST(OpenAiReplyTest, RefusesAbsurdCounts) {
  for (const char* usage : {R"({"usage": {"prompt_tokens": -1}})", R"({"usage": {"prompt_tokens": 1e9}})",
                            R"({"usage": 3})", "{}", R"({"usage": {"prompt_tokens": 18446744073709551615}})",
                            R"({"usage": {"prompt_tokens": 1, "completion_tokens": "x"}})"}) {
    EXPECT_FALSE(ReadTokenCount(Json::parse(usage)).has_value()) << usage;
  }
}

TEST(BudgetTest, AReservationOfAFormerRunCanBeSettledAfterAll) {
  Budget budget(100, 80, nullptr);
  EXPECT_EQ(budget.left_micro_usd(), 20);
  budget.Adopt(50);
  EXPECT_EQ(budget.left_micro_usd(), 20);  // as long as nobody knows what it cost
  budget.Settle(50, 10);
  EXPECT_EQ(budget.spent_micro_usd(), 40);
  EXPECT_EQ(budget.left_micro_usd(), 60);
}

TEST(BudgetTest, WhatCannotBeWrittenDownIsNotSpent) {
  Budget budget(100, 0, [](int64_t, int64_t) { return absl::DataLossError("disk"); });
  EXPECT_TRUE(absl::IsDataLoss(budget.Reserve(10)));
  EXPECT_EQ(budget.reserved_micro_usd(), 0);
  EXPECT_TRUE(budget.Reserve(0).ok());
}

}  // namespace
}  // namespace ip2p
