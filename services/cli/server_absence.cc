#include "services/cli/server_absence.h"

#include <algorithm>
#include <climits>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/random.h"
#include "common/base/retry_policy.h"
#include "common/rpc/status.h"

namespace ip2p {
namespace {

constexpr RetryPolicy kPolicy{
    .max_attempts = INT_MAX, .first_wait = absl::Milliseconds(250), .longest_wait = absl::Seconds(5)};

constexpr absl::Duration kSlice = absl::Milliseconds(100);  // until Ctrl-C is seen

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
  Sleep(decision.wait);
  return console_.cancellation.cancelled() ? absl::CancelledError("cancelled") : absl::OkStatus();
}

void ServerAbsence::Sleep(absl::Duration wait) {
  absl::Notification cancelled;
  const Cancellation::Scope scope(console_.cancellation, [&cancelled] { cancelled.Notify(); });
  const absl::Time end = absl::Now() + wait;
  // A server that answers and can't serve yet.
  if (channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY) {
    cancelled.WaitForNotificationWithTimeout(wait);
    return;
  }
  // Somebody has to wait for the channel: one without calls looks at its socket every five seconds only.
  while (!cancelled.HasBeenNotified() && absl::Now() < end) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return;
    channel_->WaitForStateChange(state, absl::ToChronoTime(std::min(end, absl::Now() + kSlice)));
  }
}

}  // namespace ip2p
