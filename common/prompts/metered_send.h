// The bridge between requests that are sent and the run's money and usage: one for each call, retries
// included.
#pragma once

#include <cstdint>

#include "common/openai/api_call.h"
#include "common/openai/price_table.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

class MeteredSend final : public SendObserver {
 public:
  // `prompt_bytes` bounds the tokens sent (a token is a byte at least), `max_tokens` those that come back.
  MeteredSend(SpendGuard* spend, TokenPrice price, size_t prompt_bytes, int64_t max_tokens, Usage* usage);

  absl::Status BeforeSend() override;
  Task<bool> AwaitRoom(CancelToken* cancel) override;
  void AfterSend(Charge charge, const nlohmann::json* answer) override;

 private:
  SpendGuard* const spend_;
  const TokenPrice price_;
  const int64_t worst_;
  Usage* const usage_;
  bool exhausted_ = false;  // why BeforeSend failed
};

// What an ended call means for a try, when there is no answer to read.
AttemptResult ResultOf(ApiEnd end);

}  // namespace ip2p
