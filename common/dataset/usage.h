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
  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace ip2p
