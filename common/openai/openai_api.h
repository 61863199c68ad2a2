// The API behind one base URL: every call of it goes through Call, which holds the limits, tries again and
// keeps the key to itself. Any server that speaks the API will do (vLLM, llama.cpp, a proxy).
//
// One loop's thread. Shared by all runs of a process, so that they keep the limits together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/retry_policy.h"
#include "common/base/semaphore.h"
#include "common/http/event_loop.h"
#include "common/http/http_client.h"
#include "common/openai/api_call.h"
#include "common/openai/api_key.h"
#include "common/openai/rate_limiter.h"

namespace ip2p {

struct OpenAiConfig {
  std::string base_url = "https://api.openai.com/v1";
  std::string organization;  // header OpenAI-Organization; empty: none
  std::string project;       // header OpenAI-Project; empty: none
  int max_concurrency = 64;  // requests in flight, 1..1024
  RateLimits limits;
  RetryPolicy retry;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(60);   // longer than a model thinks before its first byte
  absl::Duration total_timeout = absl::Seconds(120);  // of one request; files have 10 minutes
};

class OpenAiApi {
 public:
  struct Hooks {
    std::function<double()> random;                            // [0, 1); null: unpredictable
    std::function<void(const std::string& label)> on_request;  // each request that was sent, for metrics
  };

  // INVALID_ARGUMENT: the base URL is no plain http or https address, or a limit is out of range. Loop and
  // client must outlive the API.
  static absl::StatusOr<std::unique_ptr<OpenAiApi>> Create(EventLoop* loop, HttpClient* client,
                                                           OpenAiConfig config, ApiKey key, Hooks hooks = {});

  // Sends, and tries again as RetryPolicy says. `observer` and `cancel` may be null and must outlive the
  // call.
  Task<ApiReply> Call(ApiRequest request, SendObserver* observer, CancelToken* cancel);

  const OpenAiConfig& config() const { return config_; }
  const ApiKey& key() const { return key_; }
  RateLimiter& limiter() { return limiter_; }
  EventLoop& loop() const { return *loop_; }

 private:
  OpenAiApi(EventLoop* loop, HttpClient* client, OpenAiConfig config, ApiKey key, Hooks hooks);

  HttpRequest ToHttp(const ApiRequest& request) const;
  // Waits for a place, for the limits and for the observer's yes; holds the place if the exchange is left as
  // it was (kAnswered).
  Task<Exchange> AwaitLeave(const ApiRequest& request, SendObserver* observer, CancelToken* cancel);
  // One request, limits held; adds to reply.requests.
  Task<Exchange> SendOnce(const ApiRequest& request, SendObserver* observer, CancelToken* cancel,
                          ApiReply* reply, std::optional<absl::Duration>* retry_after);

  EventLoop* const loop_;
  HttpClient* const client_;
  const OpenAiConfig config_;
  const ApiKey key_;
  const Hooks hooks_;
  RateLimiter limiter_;
  Semaphore places_;
};

}  // namespace ip2p
