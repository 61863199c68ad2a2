#include "common/openai/openai_api.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_http_client.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCanary = "sk-canary-0123456789abcdef";

HttpResponse Ok() { return {.status = 200, .body = R"({"id": "x"})"}; }
HttpResponse Error(int status, std::vector<HttpHeader> headers = {}, const std::string& code = "c") {
  return {.status = status,
          .headers = std::move(headers),
          .body = R"({"error": {"message": "says the server", "code": ")" + code + "\"}}"};
}

class Observer final : public SendObserver {
 public:
  absl::Status BeforeSend() override {
    return --allowed >= 0 ? absl::OkStatus() : absl::ResourceExhaustedError("no money left");
  }
  void AfterSend(Charge charge, const nlohmann::json* answer) override {
    EXPECT_EQ(answer != nullptr, charge == Charge::kAnswer);
    charges.push_back(charge);
  }

  int allowed = 100;
  std::vector<Charge> charges;
};

class OpenAiApiTest : public ::testing::Test {
 protected:
  static Task<void> CallOne(OpenAiApi* api, ApiRequest request, SendObserver* observer, CancelToken* cancel,
                            ApiReply* reply) {
    *reply = co_await api->Call(std::move(request), observer, cancel);
  }

  ApiReply Call(ApiRequest request = {.path = "/chat/completions", .body = "{}"},
                CancelToken* cancel = nullptr) {
    ApiReply reply;
    world_.loop.Run(CallOne(api_.get(), std::move(request), &observer_, cancel, &reply));
    return reply;
  }

  // Seconds between successive requests.
  std::vector<double> Waits() const {
    std::vector<double> waits;
    for (size_t i = 1; i < http_.sent.size(); ++i) {
      waits.push_back(absl::ToDoubleSeconds(http_.sent[i].first - http_.sent[i - 1].first));
    }
    return waits;
  }

  static OpenAiConfig Config() { return {.base_url = "http://api.test/v1/", .organization = "org-1"}; }

  SimulatedLoop world_;
  FakeHttpClient http_{&world_.loop};
  Observer observer_;
  std::vector<std::string> labels_;
  std::unique_ptr<OpenAiApi> api_ = *OpenAiApi::Create(
      &world_.loop, &http_, Config(), *ApiKey::FromText(kCanary),
      {.random = [] { return 0.0; }, .on_request = [this](const std::string& l) { labels_.push_back(l); }});
};

TEST_F(OpenAiApiTest, SendsTheKeyAndReadsTheAnswer) {
  http_.answers = {Ok()};
  const ApiReply reply = Call();
  EXPECT_EQ(reply.end, ApiEnd::kAnswered);
  EXPECT_EQ(reply.answer["id"], "x");
  EXPECT_EQ(reply.requests, 1);
  ASSERT_EQ(http_.sent.size(), 1u);
  const HttpRequest& sent = http_.sent[0].second;
  EXPECT_EQ(sent.url, "http://api.test/v1/chat/completions");
  const auto sent_as = [&sent](const std::string& name) {
    for (const HttpHeader& header : sent.headers) {
      if (header.name == name) return header.value;
    }
    return std::string("absent");
  };
  EXPECT_EQ(sent_as("Authorization"), std::string("Bearer ") + kCanary);
  EXPECT_EQ(sent_as("OpenAI-Organization"), "org-1");
  EXPECT_EQ(sent_as("OpenAI-Project"), "absent");
  EXPECT_THAT(observer_.charges, ElementsAre(Charge::kAnswer));
  EXPECT_THAT(labels_, ElementsAre("200"));
}

TEST_F(OpenAiApiTest, BacksOffOnWhatMayPass) {
  http_.answers = {Error(408),
                   Error(409),
                   Error(500),
                   absl::UnavailableError("broken off"),
                   absl::DeadlineExceededError("hang"),
                   Ok()};
  EXPECT_EQ(Call().end, ApiEnd::kAnswered);
  EXPECT_THAT(Waits(), ElementsAre(0.5, 1, 2, 4, 8));
  EXPECT_THAT(observer_.charges, ElementsAre(Charge::kUnknown, Charge::kNothing, Charge::kNothing,
                                             Charge::kUnknown, Charge::kUnknown, Charge::kAnswer));
}

TEST_F(OpenAiApiTest, GivesUpAfterSixRequests) {
  http_.otherwise = [](const HttpRequest&) { return Error(500); };
  const ApiReply reply = Call();
  EXPECT_EQ(reply.end, ApiEnd::kFailed);
  EXPECT_EQ(reply.requests, 6);
  EXPECT_TRUE(absl::IsUnavailable(reply.status));
}

TEST_F(OpenAiApiTest, HonoursRetryAfterInEveryForm) {
  const absl::Time date = world_.clock.Now() + absl::Seconds(40);
  http_.answers = {
      Error(429, {{"retry-after", "20"}}),
      Error(429, {{"retry-after", absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", date, absl::UTCTimeZone())}}),
      Error(429, {{"retry-after-ms", "1500"}}), Error(503, {{"retry-after", "3"}}), Ok()};
  EXPECT_EQ(Call().end, ApiEnd::kAnswered);
  EXPECT_THAT(Waits(), ElementsAre(20, 20, 1.5, 3));
}

TEST_F(OpenAiApiTest, ARetryAfterInThePastIsAnOrdinaryWait) {
  http_.answers = {Error(429, {{"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"}}), Ok()};
  EXPECT_EQ(Call().end, ApiEnd::kAnswered);
  EXPECT_THAT(Waits(), ElementsAre(0.5));
}

TEST_F(OpenAiApiTest, AnAbsurdRetryAfterEndsEverything) {
  http_.answers = {Error(429, {{"retry-after", "999999999"}})};
  const ApiReply first = Call();
  EXPECT_EQ(first.end, ApiEnd::kFatal);
  EXPECT_TRUE(absl::IsUnavailable(first.status)) << first.status;
  EXPECT_EQ(Call().end, ApiEnd::kFatal);  // and nobody else asks before
  EXPECT_EQ(http_.sent.size(), 1u);
  world_.clock.Advance(absl::Hours(1));
  http_.answers = {Ok()};
  EXPECT_EQ(Call().end, ApiEnd::kAnswered);  // a server is not lost for ever by one odd header
}

TEST_F(OpenAiApiTest, WhatIsNotMeteredWaitsForTheGateAndTeachesNothing) {
  http_.answers = {Error(429, {{"retry-after", "30"}})};
  http_.otherwise = [](const HttpRequest&) {
    HttpResponse answer = Ok();
    answer.headers = {{"x-ratelimit-limit-requests", "1"}, {"x-ratelimit-remaining-requests", "0"}};
    return answer;
  };
  CancelToken cancel;
  observer_.allowed = 1;  // the 429 is all that this call sends
  EXPECT_EQ(Call().end, ApiEnd::kOutOfBudget);
  observer_.allowed = 100;
  api_->limiter().BlockFor(absl::Seconds(60));
  EXPECT_EQ(Call({.method = "GET", .path = "/batches", .metered = false}).end, ApiEnd::kAnswered);
  EXPECT_THAT(Waits(), ElementsAre(90));
  EXPECT_EQ(api_->limiter().requests_per_minute("/batches"), 0);
  EXPECT_EQ(Call({.path = "/chat/completions", .meter = "chat a"}).end, ApiEnd::kAnswered);
  EXPECT_EQ(api_->limiter().requests_per_minute("chat a"), 1);
  EXPECT_EQ(api_->limiter().requests_per_minute("chat b"), 0);
}

Task<void> OneOfMany(OpenAiApi* api, WaitGroup* group) {
  ApiRequest request;
  request.path = "/chat/completions";
  const ApiReply reply = co_await api->Call(std::move(request), nullptr, nullptr);
  EXPECT_EQ(reply.end, ApiEnd::kAnswered);
  group->Done();
}

Task<void> Many(OpenAiApi* api, int count) {
  WaitGroup group;
  for (int i = 0; i < count; ++i) {
    group.Add();
    Spawn(OneOfMany(api, &group));
  }
  co_await group.Wait();
}

TEST_F(OpenAiApiTest, A429HoldsEveryoneAndConcurrencyIsBounded) {
  http_.latency = absl::Milliseconds(200);
  http_.answers = {Error(429, {{"retry-after", "30"}})};
  http_.otherwise = [](const HttpRequest&) { return Ok(); };
  world_.loop.Run(Many(api_.get(), 200));
  EXPECT_EQ(http_.most_in_flight, 64);
  const absl::Time blocked = http_.sent[0].first + http_.latency;
  int after = 0;
  for (const auto& [time, request] : http_.sent) {
    EXPECT_TRUE(time < blocked || time >= blocked + absl::Seconds(30)) << time - blocked;
    after += time >= blocked ? 1 : 0;
  }
  EXPECT_EQ(after, 200 - 64 + 1);
}

TEST_F(OpenAiApiTest, TellsFinalFromFatal) {
  const std::vector<std::pair<int, absl::StatusCode>> finals = {{400, absl::StatusCode::kInvalidArgument},
                                                                {403, absl::StatusCode::kPermissionDenied},
                                                                {404, absl::StatusCode::kNotFound}};
  for (const auto& [status, code] : finals) {
    http_.answers = {Error(status)};
    const ApiReply reply = Call();
    EXPECT_EQ(reply.end, ApiEnd::kFailed);
    EXPECT_EQ(reply.status.code(), code);
    EXPECT_EQ(reply.requests, 1);
  }
  http_.answers = {Error(401)};
  EXPECT_EQ(Call().end, ApiEnd::kFatal);
  http_.answers = {Error(429, {}, "insufficient_quota")};
  EXPECT_EQ(Call().end, ApiEnd::kFatal);
  http_.answers = {NeverSent(absl::FailedPreconditionError("certificate"))};
  EXPECT_EQ(Call().end, ApiEnd::kFatal);
  http_.answers = {Error(400, {}, "content_filter")};
  EXPECT_EQ(Call().end, ApiEnd::kRefused);
  EXPECT_TRUE(http_.answers.empty());
}

TEST_F(OpenAiApiTest, TheServerMayOverruleWhetherToTryAgain) {
  http_.answers = {Error(500, {{"x-should-retry", "false"}})};
  EXPECT_EQ(Call().requests, 1);
  http_.answers = {Error(400, {{"x-should-retry", "true"}}), Ok()};
  EXPECT_EQ(Call().requests, 2);
}

TEST_F(OpenAiApiTest, TriesAgainAfterAnAnswerThatIsNone) {
  for (const std::string body :
       {"", "<html>Bad gateway</html>", "{\"id\": \"x", "[1]", "null", "\"text\"", "\xff\xfe",
        R"({"error": {"message": "inside"}})", R"({"error": "inside"})"}) {
    http_.answers = {HttpResponse{.status = 200, .body = body}, Ok()};
    const ApiReply reply = Call();
    EXPECT_EQ(reply.end, ApiEnd::kAnswered) << body;
    EXPECT_EQ(reply.requests, 2) << body;
  }
}

TEST_F(OpenAiApiTest, WhatMustNotHappenTwiceIsRepeatedOnlyIfItNeverArrived) {
  const ApiRequest once{.path = "/fine_tuning/jobs", .body = "{}", .repeatable = false};
  http_.answers = {absl::UnavailableError("broken off")};
  EXPECT_EQ(Call(once).end, ApiEnd::kFailed);
  http_.answers = {NeverSent(absl::UnavailableError("refused")), Error(429), Ok()};
  EXPECT_EQ(Call(once).end, ApiEnd::kAnswered);
}

TEST_F(OpenAiApiTest, NothingIsSentWithoutMoney) {
  observer_.allowed = 1;
  http_.answers = {Error(500), Ok()};
  const ApiReply reply = Call();
  EXPECT_EQ(reply.end, ApiEnd::kOutOfBudget);
  EXPECT_EQ(http_.sent.size(), 1u);
}

TEST_F(OpenAiApiTest, TheKeyIsInNoTextThatComesBack) {
  const std::string echo = std::string("Incorrect API key provided: ") + kCanary + " for x89abcdefy";
  http_.answers = {HttpResponse{
      .status = 401, .body = R"({"error": {"message": ")" + echo + R"(", "code": ")" + kCanary + "\"}}"}};
  const ApiReply refused = Call();
  EXPECT_THAT(std::string(refused.status.message()), Not(HasSubstr("89abcdef")));
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("[key]"));
  EXPECT_THAT(std::string(refused.status.message()), Not(HasSubstr("api.test")));

  std::string escaped = R"({"id": "\u0073k-canary-0123456789abcdef", ")" + std::string(kCanary) +
                        R"(": [{"a": ")" + kCanary + "\"}]}";
  http_.answers = {HttpResponse{.status = 200, .body = escaped}};
  EXPECT_THAT(Call().answer.dump(), Not(HasSubstr("89abcdef")));
}

TEST_F(OpenAiApiTest, ErrorsAreShortAndPrintable) {
  http_.answers = {HttpResponse{
      .status = 400,
      .body = R"({"error": {"message": "a\u0000\n\u001b[31m)" + std::string(5000, 'x') + "\"}}"}};
  const std::string text(Call().status.message());
  EXPECT_LT(text.size(), 300u);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~');
}

Task<void> CancelLater(EventLoop* loop, CancelToken* cancel) {
  EXPECT_TRUE((co_await loop->Sleep(absl::Milliseconds(100))).ok());
  cancel->Cancel();
}

TEST_F(OpenAiApiTest, CancelEndsARequestAndAWait) {
  for (const bool in_flight : {true, false}) {
    http_.latency = in_flight ? absl::Seconds(60) : absl::ZeroDuration();
    http_.answers = {Error(500), Ok()};
    CancelToken cancel;
    Spawn(CancelLater(&world_.loop, &cancel));
    const absl::Time start = world_.clock.Now();
    EXPECT_EQ(Call({.path = "/x"}, &cancel).end, ApiEnd::kCancelled);
    EXPECT_EQ(world_.clock.Now() - start, absl::Milliseconds(100));
    http_.answers.clear();
  }
}

TEST_F(OpenAiApiTest, ChecksItsConfig) {
  for (const char* url :
       {"", "api.openai.com", "ftp://x", "https://", "https:///v1", "https://user:secret@host/v1",
        "https://host/v1?key=secret", "https://ho st/", "https://host/\n"}) {
    OpenAiConfig config;
    config.base_url = url;
    const auto api = OpenAiApi::Create(&world_.loop, &http_, config, ApiKey());
    EXPECT_TRUE(absl::IsInvalidArgument(api.status())) << url;
    EXPECT_THAT(std::string(api.status().message()), Not(HasSubstr("secret")));
  }
  OpenAiConfig config;
  config.organization = "a\r\nX-Injected: 1";
  EXPECT_FALSE(OpenAiApi::Create(&world_.loop, &http_, config, ApiKey()).ok());
}

}  // namespace
}  // namespace ip2p
