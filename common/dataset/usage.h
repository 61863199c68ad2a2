// What work at a provider consumed. Plain data.
#pragma once

#include <cstdint>

namespace ip2p {

struct Usage {
  int64_t requests = 0;  // sent to the provider, failed ones and moderation included
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cost_micro_usd = 0;  // millionths of a US dollar, rounded up

  Usage& operator+=(const Usage& other) {
    requests += other.requests;
    prompt_tokens += other.prompt_tokens;
    completion_tokens += other.completion_tokens;
    cost_micro_usd += other.cost_micro_usd;
    return *this;
  }
  friend Usage operator-(const Usage& a, const Usage& b) {
    return {.requests = a.requests - b.requests,
            .prompt_tokens = a.prompt_tokens - b.prompt_tokens,
            .completion_tokens = a.completion_tokens - b.completion_tokens,
            .cost_micro_usd = a.cost_micro_usd - b.cost_micro_usd};
  }
  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace ip2p
