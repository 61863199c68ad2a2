#include "common/openai/openai_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/http/retry_after.h"

namespace ip2p {
namespace {

constexpr size_t kMaxUrlBytes = 2048;

double Unpredictable() { return RandomUint32() / 4294967296.0; }

bool IsPlainText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

absl::Status CheckConfig(const OpenAiConfig& config) {
  absl::string_view url = config.base_url;
  const bool scheme = absl::ConsumePrefix(&url, "https://") || absl::ConsumePrefix(&url, "http://");
  // A name and password in a URL would be shown wherever the URL is.
  if (!scheme || url.empty() || url[0] == '/' || !IsPlainText(url) || url.size() > kMaxUrlBytes ||
      url.find_first_of("@?#") != absl::string_view::npos) {
    return absl::InvalidArgumentError("the base URL is no plain address; wants http(s)://HOST[:PORT][/PATH]");
  }
  if (!IsPlainText(config.organization) || !IsPlainText(config.project)) {
    return absl::InvalidArgumentError("organization or project holds blanks or odd characters; wants an id");
  }
  if (config.max_concurrency < 1 || config.max_concurrency > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_concurrency is ", config.max_concurrency, "; wants 1..1024"));
  }
  return absl::OkStatus();
}

const std::string& MeterOf(const ApiRequest& request) {
  return request.meter.empty() ? request.path : request.meter;
}

ApiReply Failed(ApiReply reply, ApiEnd end, absl::Status status) {
  reply.end = end;
  reply.status = std::move(status);
  return reply;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenAiApi>> OpenAiApi::Create(EventLoop* loop, HttpClient* client,
                                                             OpenAiConfig config, ApiKey key, Hooks hooks) {
  while (absl::EndsWith(config.base_url, "/")) config.base_url.pop_back();
  IP2P_RETURN_IF_ERROR(CheckConfig(config));
  if (!hooks.random) hooks.random = Unpredictable;
  return std::unique_ptr<OpenAiApi>(
      new OpenAiApi(loop, client, std::move(config), std::move(key), std::move(hooks)));
}

OpenAiApi::OpenAiApi(EventLoop* loop, HttpClient* client, OpenAiConfig config, ApiKey key, Hooks hooks)
    : loop_(loop),
      client_(client),
      config_(std::move(config)),
      key_(std::move(key)),
      hooks_(std::move(hooks)),
      limiter_(loop, config_.limits, config_.retry.longest_retry_after),
      places_(config_.max_concurrency) {}

HttpRequest OpenAiApi::ToHttp(const ApiRequest& request) const {
  HttpRequest http;
  http.method = request.method;
  http.url = absl::StrCat(config_.base_url, request.path);
  http.body = request.body;
  http.connect_timeout = config_.connect_timeout;
  http.stall_timeout = config_.stall_timeout;
  http.total_timeout =
      request.total_timeout > absl::ZeroDuration() ? request.total_timeout : config_.total_timeout;
  http.max_body_bytes = request.max_answer_bytes;
  if (!request.body.empty()) http.headers.push_back({"Content-Type", request.content_type});
  if (!key_.empty()) http.headers.push_back({"Authorization", key_.AuthorizationHeader()});
  if (!config_.organization.empty()) http.headers.push_back({"OpenAI-Organization", config_.organization});
  if (!config_.project.empty()) http.headers.push_back({"OpenAI-Project", config_.project});
  return http;
}

Task<Exchange> OpenAiApi::AwaitLeave(const ApiRequest& request, SendObserver* observer, CancelToken* cancel) {
  Exchange exchange;
  exchange.status = co_await places_.Acquire(cancel);
  if (!exchange.status.ok()) {
    exchange.end = ApiEnd::kCancelled;
    co_return exchange;
  }
  if (request.metered) {
    exchange.status = co_await limiter_.Acquire(MeterOf(request), request.tokens, cancel);
  } else {
    exchange.status = co_await limiter_.AwaitOpen(cancel);  // a Retry-After is everybody's
  }
  while (exchange.status.ok()) {
    const absl::Status said = observer == nullptr ? absl::OkStatus() : observer->BeforeSend();
    if (said.ok()) {
      exchange.end = ApiEnd::kAnswered;
      co_return exchange;
    }
    const bool room = co_await observer->AwaitRoom(cancel);
    if (!room) {
      places_.Release();
      const bool cancelled = cancel != nullptr && cancel->cancelled();
      exchange.end = cancelled ? ApiEnd::kCancelled : ApiEnd::kOutOfBudget;
      exchange.status = said;
      co_return exchange;
    }
    exchange.status = co_await limiter_.AwaitOpen(cancel);  // it may have closed meanwhile
  }
  places_.Release();
  exchange.end = absl::IsCancelled(exchange.status) ? ApiEnd::kCancelled : ApiEnd::kFatal;
  co_return exchange;
}

Task<Exchange> OpenAiApi::SendOnce(const ApiRequest& request, SendObserver* observer, CancelToken* cancel,
                                   ApiReply* reply, std::optional<absl::Duration>* retry_after) {
  Exchange exchange = co_await AwaitLeave(request, observer, cancel);
  if (exchange.end != ApiEnd::kAnswered) co_return exchange;
  ++reply->requests;
  HttpRequest http = ToHttp(request);
  absl::StatusOr<HttpResponse> response = co_await client_->Send(std::move(http), cancel);
  exchange = JudgeExchange(request, response, key_);
  if (hooks_.on_request) hooks_.on_request(OutcomeLabel(response));
  reply->http_status = response.ok() ? response->status : 0;
  if (response.ok()) {
    if (request.metered) limiter_.Observe(MeterOf(request), *response);
    if (response->status >= 400) *retry_after = ParseRetryAfter(*response, loop_->Now());
    // An overload is everybody's, another failure only this request's.
    const bool overload = response->status == 429 || response->status == 503;
    if (overload && retry_after->has_value()) limiter_.BlockFor(**retry_after);
    if (exchange.end == ApiEnd::kAnswered && request.raw_answer) reply->file = std::move(response->body);
  }
  // After the gate has heard: this may let others go, who waited for the money.
  if (observer != nullptr) {
    observer->AfterSend(exchange.charge, exchange.charge == Charge::kAnswer ? &exchange.answer : nullptr);
  }
  places_.Release();
  co_return exchange;
}

Task<ApiReply> OpenAiApi::Call(ApiRequest request, SendObserver* observer, CancelToken* cancel) {
  ApiReply reply;
  for (int attempt = 1;; ++attempt) {
    std::optional<absl::Duration> retry_after;
    Exchange exchange = co_await SendOnce(request, observer, cancel, &reply, &retry_after);
    if (exchange.end == ApiEnd::kAnswered) {
      reply.end = ApiEnd::kAnswered;
      reply.answer = std::move(exchange.answer);
      reply.held_key = exchange.held_key;
      co_return reply;
    }
    if (exchange.end != ApiEnd::kFailed) co_return Failed(std::move(reply), exchange.end, exchange.status);
    if (!request.repeatable && exchange.charge != Charge::kNothing) exchange.kind = FailureKind::kFinal;

    FailedAttempt failed;
    failed.attempt = attempt;
    failed.kind = exchange.kind;
    failed.retry_after = retry_after;
    failed.now = loop_->Now();
    failed.random = hooks_.random();
    const RetryDecision decision = NextRetry(config_.retry, failed);
    if (decision.verdict == RetryVerdict::kRetryAfterTooLong) {
      co_return Failed(std::move(reply), ApiEnd::kFatal,
                       absl::UnavailableError(absl::StrCat(
                           "the provider asks for a wait of ", absl::FormatDuration(*retry_after),
                           "; wants at most ", absl::FormatDuration(config_.retry.longest_retry_after))));
    }
    if (decision.verdict != RetryVerdict::kWait) {
      co_return Failed(std::move(reply), ApiEnd::kFailed, exchange.status);
    }
    const absl::Status slept = co_await loop_->Sleep(decision.wait, cancel);
    if (!slept.ok()) co_return Failed(std::move(reply), ApiEnd::kCancelled, slept);
  }
}

}  // namespace ip2p
