// When to try a failed request again. One policy for every client; a pure function of what is known, so that
// it can be tested without a clock and without luck.
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace ip2p {

// What a failure means for trying again.
enum class FailureKind {
  kTransient,  // connection, time-out, 408, 409, 429, 5xx, an answer that can't be read: may pass
  kFinal,      // 400, 403, 404, ...: the same request fails again
  kFatal,      // 401: every request fails
};

// Of an HTTP status that is not a success. `should_retry`: the server's own word (x-should-retry), which
// overrules all but 401.
FailureKind ClassifyHttpStatus(int status, std::optional<bool> should_retry);

struct RetryPolicy {
  int max_attempts = 6;                                 // of one request, the first included
  absl::Duration first_wait = absl::Milliseconds(500);  // doubles with each attempt
  absl::Duration longest_wait = absl::Seconds(8);
  absl::Duration longest_retry_after = absl::Hours(1);  // a server that asks for more is not waited for
};

struct FailedAttempt {
  int attempt = 1;  // that failed, from 1
  FailureKind kind = FailureKind::kTransient;
  std::optional<absl::Duration> retry_after;  // the server's wish; never waited for less
  absl::Time now;
  absl::Time deadline = absl::InfiniteFuture();
  double random = 0;  // in [0, 1)
};

enum class RetryVerdict { kWait, kFinal, kTooManyAttempts, kRetryAfterTooLong, kPastDeadline };

struct RetryDecision {
  RetryVerdict verdict = RetryVerdict::kFinal;
  absl::Duration wait;  // with kWait
};

RetryDecision NextRetry(const RetryPolicy& policy, const FailedAttempt& failed);

}  // namespace ip2p
