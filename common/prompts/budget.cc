#include "common/prompts/budget.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/base/cancel_token.h"

namespace ip2p {

absl::Status Budget::Reserve(int64_t worst_micro_usd) {
  if (worst_micro_usd <= 0) return absl::OkStatus();  // free: nothing to write down either
  if (limit_.has_value() && worst_micro_usd > *limit_ - spent_ - reserved_) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the budget has $%.6f left and $%.6f set aside; wants $%.6f for the next request",
                        static_cast<double>(std::max<int64_t>(*limit_ - spent_ - reserved_, 0)) / 1e6,
                        static_cast<double>(reserved_) / 1e6, static_cast<double>(worst_micro_usd) / 1e6));
  }
  reserved_ += worst_micro_usd;
  if (!record_) return absl::OkStatus();
  const absl::Status recorded = record_(spent_, reserved_);
  if (!recorded.ok()) reserved_ -= worst_micro_usd;
  return recorded;
}

void Budget::Settle(int64_t reserved_micro_usd, int64_t cost_micro_usd) {
  reserved_ -= std::max<int64_t>(reserved_micro_usd, 0);
  spent_ += std::max<int64_t>(cost_micro_usd, 0);
  // Each is asked once: those for whom it is still not enough wait again, at the back.
  for (size_t left = waiters_.size(); left > 0 && !waiters_.empty(); --left) {
    Event* const next = waiters_.front();
    waiters_.pop_front();
    next->Set();
  }
}

Task<bool> Budget::AwaitRoom(CancelToken* cancel) {
  if (reserved_ == 0 || (cancel != nullptr && cancel->cancelled())) co_return false;
  Event settled;
  waiters_.push_back(&settled);
  {
    const CancelToken::Callback on_cancel(cancel, [&settled] { settled.Set(); });
    co_await settled;
  }
  std::erase(waiters_, &settled);
  co_return cancel == nullptr || !cancel->cancelled();
}

void Budget::Adopt(int64_t reserved_micro_usd) {
  const int64_t adopted = std::clamp<int64_t>(reserved_micro_usd, 0, spent_);
  spent_ -= adopted;
  reserved_ += adopted;
}

std::optional<int64_t> Budget::left_micro_usd() const {
  if (!limit_.has_value()) return std::nullopt;
  return std::max<int64_t>(*limit_ - spent_ - reserved_, 0);
}

}  // namespace ip2p
