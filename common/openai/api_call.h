// One request to the API and what came of it, as plain values; and what an error answer means. Pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/base/cancel_token.h"
#include "common/base/json.h"
#include "common/base/retry_policy.h"
#include "common/base/task.h"
#include "common/http/http_client.h"
#include "common/openai/api_key.h"

namespace ip2p {

struct ApiRequest {
  std::string method = "POST";
  std::string path;  // below the base URL, "/chat/completions"
  std::string content_type = "application/json";
  std::string body;
  int64_t tokens = 0;       // that the rate limit will count, estimated; 0: none
  bool metered = true;      // counts against the rate limits (files and jobs don't)
  std::string meter;        // whose limits: "PATH MODEL" where the server counts by model; empty: the path's
  bool repeatable = true;   // sending it twice does no harm; false: tried again only if it never arrived
  bool raw_answer = false;  // the answer is a file and no JSON object
  size_t max_answer_bytes = 8 << 20;
  absl::Duration total_timeout = absl::ZeroDuration();  // zero: the configured one
};

enum class ApiEnd {
  kAnswered,     // 2xx with a whole answer
  kFailed,       // refused for good, or in every attempt; `status` says why
  kRefused,      // the provider's content filter stopped the request
  kFatal,        // every further request would fail: key, quota, certificate, or an endless Retry-After
  kOutOfBudget,  // the observer said no
  kCancelled,
};

struct ApiReply {
  ApiEnd end = ApiEnd::kFailed;
  absl::Status status;    // OK with kAnswered and kRefused; never holds the key or an address
  int http_status = 0;    // of the last answer; 0: none came
  nlohmann::json answer;  // with kAnswered; no text in it holds the key
  bool held_key = false;  // any more: the server echoed it
  std::string file;       // instead of it, for raw_answer
  int requests = 0;       // sent
};

// What a request that was sent may cost.
enum class Charge {
  kNothing,  // it did not arrive, or was refused
  kUnknown,  // no readable answer came: it may have been worked on
  kAnswer,   // what the answer's usage says
};

// Watches the requests of one call, retries included. For budgets.
class SendObserver {
 public:
  virtual ~SendObserver() = default;
  virtual absl::Status BeforeSend() = 0;  // an error: nothing is sent
  // After BeforeSend failed: true, once it is worth asking again; false: the call ends with kOutOfBudget.
  virtual Task<bool> AwaitRoom(CancelToken* /*cancel*/) { co_return false; }
  // Exactly once after each BeforeSend that was OK. `answer`: with Charge::kAnswer.
  virtual void AfterSend(Charge charge, const nlohmann::json* answer) = 0;
};

// What one exchange means, before any thought of trying again.
struct Exchange {
  ApiEnd end = ApiEnd::kFailed;
  FailureKind kind = FailureKind::kFinal;  // unless answered
  Charge charge = Charge::kNothing;
  absl::Status status;
  nlohmann::json answer;
  bool held_key = false;
};

Exchange JudgeExchange(const ApiRequest& request, const absl::StatusOr<HttpResponse>& response,
                       const ApiKey& key);

// A label for metrics: "200", "429", "timeout", "unavailable", ...: few, and no caller's or server's text.
std::string OutcomeLabel(const absl::StatusOr<HttpResponse>& response);

// Replaces passages of the key in every text, keys of objects included. True when there was one.
bool ScrubJson(const ApiKey& key, nlohmann::json& value);

}  // namespace ip2p
