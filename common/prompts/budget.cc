#include "common/prompts/budget.h"

#include <algorithm>

#include "absl/strings/str_format.h"

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
