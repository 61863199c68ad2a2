// Waits: 0.5 s, 1 s, 2 s, ... 8 s, each shortened by up to a quarter; or what the server asks for,
// lengthened.
#include "common/base/retry_policy.h"

#include <algorithm>

namespace ip2p {
namespace {

constexpr double kJitter = 0.25;  // share of a wait that is random

absl::Duration BackOff(const RetryPolicy& policy, const FailedAttempt& failed) {
  absl::Duration wait = policy.first_wait;
  for (int i = 1; i < failed.attempt && wait < policy.longest_wait; ++i) wait *= 2;
  return std::min(wait, policy.longest_wait) * (1 - kJitter * failed.random);
}

}  // namespace

FailureKind ClassifyHttpStatus(int status, std::optional<bool> should_retry) {
  if (status == 401) return FailureKind::kFatal;
  const bool passes = status == 408 || status == 409 || status == 429 || status >= 500;
  return should_retry.value_or(passes) ? FailureKind::kTransient : FailureKind::kFinal;
}

RetryDecision NextRetry(const RetryPolicy& policy, const FailedAttempt& failed) {
  if (failed.kind != FailureKind::kTransient) return {RetryVerdict::kFinal, {}};
  const absl::Duration asked = failed.retry_after.value_or(absl::ZeroDuration());
  if (asked > policy.longest_retry_after) return {RetryVerdict::kRetryAfterTooLong, {}};
  if (failed.attempt >= policy.max_attempts) return {RetryVerdict::kTooManyAttempts, {}};
  absl::Duration wait = BackOff(policy, failed);
  if (asked > absl::ZeroDuration()) {
    // Everyone was asked for the same moment: spread out behind it.
    wait = asked + kJitter * failed.random * std::min(asked, absl::Seconds(1));
  }
  if (failed.now + wait >= failed.deadline) return {RetryVerdict::kPastDeadline, {}};
  return {RetryVerdict::kWait, wait};
}

}  // namespace ip2p
