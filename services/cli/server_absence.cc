#include "services/cli/server_absence.h"

#include <climits>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/random.h"
#include "common/base/retry_policy.h"
#include "common/rpc/status.h"

namespace ip2p {
namespace {

constexpr RetryPolicy kPolicy{
    .max_attempts = INT_MAX, .first_wait = absl::Milliseconds(250), .longest_wait = absl::Seconds(5)};

}  // namespace

bool ServerAbsence::MayPass(const absl::Status& status) {
  // Without our asking, a stream is cancelled by a server that is restarted or has waited for us too long.
  return absl::IsUnavailable(status) || absl::IsCancelled(status);
}

bool ServerAbsence::Heard() {
  const bool was_away = tries_ > 0;
  tries_ = 0;
  return was_away;
}

absl::Status ServerAbsence::Wait(const absl::Status& fault) {
  const absl::Time now = console_.clock->Now();
  if (++tries_ == 1) since_ = now;
  const RetryDecision decision =
      NextRetry(kPolicy, {.attempt = tries_,
                          .kind = MayPass(fault) ? FailureKind::kTransient : FailureKind::kFinal,
                          .retry_after = RetryAfter(fault),
                          .now = now,
                          .deadline = since_ + limit_,
                          .random = RandomUint32() / 4294967296.0});
  if (decision.verdict != RetryVerdict::kWait) {
    return absl::IsCancelled(fault) ? absl::UnavailableError("the server ended the stream") : fault;
  }
  absl::Notification ended;
  const Cancellation::Scope scope(console_.cancellation, [&ended] { ended.Notify(); });
  if (ended.WaitForNotificationWithTimeout(decision.wait)) return absl::CancelledError("cancelled");
  return absl::OkStatus();
}

}  // namespace ip2p
