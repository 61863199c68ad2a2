#include "common/prompts/metered_send.h"

#include <optional>

#include "common/prompts/openai_reply.h"

namespace ip2p {
namespace {

constexpr int64_t kOverheadTokens = 64;  // what chat templates add around the texts

}  // namespace

MeteredSend::MeteredSend(SpendGuard* spend, TokenPrice price, size_t prompt_bytes, int64_t max_tokens,
                         Usage* usage)
    : spend_(spend),
      price_(price),
      worst_(price.MicroUsd(static_cast<int64_t>(prompt_bytes) + kOverheadTokens, max_tokens)),
      usage_(usage) {}

absl::Status MeteredSend::BeforeSend() {
  absl::Status reserved = spend_->Reserve(worst_);
  exhausted_ = absl::IsResourceExhausted(reserved);
  return reserved;
}

Task<bool> MeteredSend::AwaitRoom(CancelToken* cancel) {
  if (!exhausted_) co_return false;  // the journal failed
  const bool room = co_await spend_->AwaitRoom(cancel);
  co_return room;
}

void MeteredSend::AfterSend(Charge charge, const nlohmann::json* answer) {
  ++usage_->requests;
  int64_t cost = charge == Charge::kNothing ? 0 : worst_;
  if (charge == Charge::kAnswer) {
    // Without a count, the worst case is what is sure.
    if (const std::optional<TokenCount> tokens = ReadTokenCount(*answer); tokens.has_value()) {
      cost = price_.MicroUsd(tokens->prompt, tokens->completion);
      usage_->prompt_tokens += tokens->prompt;
      usage_->completion_tokens += tokens->completion;
    }
  }
  usage_->cost_micro_usd += cost;
  spend_->Settle(worst_, cost);
}

AttemptResult ResultOf(ApiEnd end) {
  switch (end) {
    case ApiEnd::kAnswered:
      return AttemptResult::kAnswered;
    case ApiEnd::kFailed:
      return AttemptResult::kProviderError;
    case ApiEnd::kRefused:
      return AttemptResult::kRefused;
    case ApiEnd::kFatal:
      return AttemptResult::kFatal;
    case ApiEnd::kOutOfBudget:
      return AttemptResult::kOutOfBudget;
    case ApiEnd::kCancelled:
      return AttemptResult::kCancelled;
  }
  return AttemptResult::kProviderError;
}

}  // namespace ip2p
