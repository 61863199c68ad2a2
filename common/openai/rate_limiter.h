// Holds requests to a number a minute and tokens a minute, and to the server's own word. One loop's thread.
//
// Two buckets of a minute's worth fill evenly; a request takes its place in line when it asks, so places come
// in order. The server counts for each endpoint and model by itself, so each such meter has buckets of its
// own. The server's headers correct them: x-ratelimit-limit-* their size, -remaining-* their content. A
// remaining of 0 where no rate is known closes the gate until its -reset-*, a minute at most. A Retry-After
// closes the gate for everyone: no request is let through before. One that is longer than anybody waits makes
// requests fail for as long as one would wait; then the server is asked again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/cancel_token.h"
#include "common/base/task.h"
#include "common/http/event_loop.h"
#include "common/http/http_client.h"

namespace ip2p {

// A bucket that may owe: what is taken beyond its content is paid back before the taker's turn. Pure.
class TokenBucket {
 public:
  // Full at first. A rate of 0 a minute is no limit.
  TokenBucket(double per_minute, absl::Time now) : per_minute_(per_minute), level_(per_minute), at_(now) {}

  // Takes at once; the moment from which it counts as there (never before `now`).
  absl::Time Take(double amount, absl::Time now);
  void GiveBack(double amount) { level_ += amount; }
  // The server's knowledge: a new rate (> 0), or less left than thought.
  void SetRate(double per_minute, absl::Time now);
  void LowerTo(double level, absl::Time now);

  double per_minute() const { return per_minute_; }

 private:
  void Fill(absl::Time now);

  double per_minute_;
  double level_;
  absl::Time at_;
};

struct RateLimits {
  int64_t requests_per_minute = 0;  // 0: what the server's headers say, none without them
  int64_t tokens_per_minute = 0;
};

class RateLimiter {
 public:
  RateLimiter(EventLoop* loop, RateLimits limits, absl::Duration longest_wait);

  // Returns when a request of `tokens` may be sent. CANCELLED. UNAVAILABLE when the server asked for more
  // than `longest_wait`: nobody waits for that.
  Task<absl::Status> Acquire(const std::string& meter, int64_t tokens, CancelToken* cancel);
  // Returns when the gate is open. Errors: as Acquire.
  Task<absl::Status> AwaitOpen(CancelToken* cancel) { return AwaitTurn(loop_->Now(), cancel); }
  // Learns from the headers of an answer to a request of this meter.
  void Observe(const std::string& meter, const HttpResponse& response);
  // Closes the gate for everyone.
  void BlockFor(absl::Duration wait) { BlockUntil(loop_->Now() + wait); }
  void BlockUntil(absl::Time until);

  // Hears until when the gate is closed: at once when it is, then each time that it closes for longer.
  class Watch {
   public:
    Watch(RateLimiter* limiter, std::function<void(absl::Time until)> on_closed);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class RateLimiter;
    RateLimiter* const limiter_;
    const std::function<void(absl::Time)> on_closed_;
  };

  int64_t requests_per_minute(const std::string& meter) {
    return static_cast<int64_t>(Of(meter).requests.per_minute());
  }
  int64_t tokens_per_minute(const std::string& meter) {
    return static_cast<int64_t>(Of(meter).tokens.per_minute());
  }

 private:
  struct Meter {
    TokenBucket requests;
    TokenBucket tokens;
  };

  // Made when first asked for; callers may name any model, so the last ones of very many share.
  Meter& Of(const std::string& meter);
  Task<absl::Status> AwaitTurn(absl::Time turn, CancelToken* cancel);
  void Observe(const HttpResponse& response, const char* kind, bool configured, TokenBucket& bucket);

  EventLoop* const loop_;
  const RateLimits limits_;
  const absl::Duration longest_wait_;
  std::map<std::string, Meter> meters_;
  absl::Time blocked_until_ = absl::InfinitePast();
  absl::Time refused_until_ = absl::InfinitePast();  // nobody waits: what was asked for is too long
  std::vector<const Watch*> watches_;
};

}  // namespace ip2p
