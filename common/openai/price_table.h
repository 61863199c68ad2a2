// What tokens cost, by model, from a price file (deploy/config/prices.json; its keys are explained there and
// in README.md). Immutable, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

// US dollars for a million tokens, which are millionths of a dollar for one.
struct TokenPrice {
  double input = 0;
  double output = 0;
  double batch_factor = 0.5;  // of both, through the Batch API

  // Millionths of a dollar, rounded up, so that sums never fall short.
  int64_t MicroUsd(int64_t prompt_tokens, int64_t completion_tokens) const;
  TokenPrice Batch() const { return {input * batch_factor, output * batch_factor, 1}; }

  friend bool operator==(const TokenPrice&, const TokenPrice&) = default;
};

class PriceTable {
 public:
  // INVALID_ARGUMENT names the entry at fault.
  static absl::StatusOr<PriceTable> FromJson(std::string_view text);
  // NOT_FOUND, or as FromJson. "the price file" stands for the path.
  static absl::StatusOr<PriceTable> Load(const std::string& path);

  // The entry of that name, else the longest that the name continues with a date (-YYYY-MM-DD, -MMDD), an
  // organisation (":...") or both: "gpt-4o-mini" for "gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini" for
  // "ft:gpt-4o-mini:org::id"; never "gpt-4o" for "gpt-4o-mini" or "gpt-4" for "gpt-4-32k". A fine-tuned model
  // never takes its base's price. Else the entry "*" (for local servers). Nothing: unknown, so no budget can
  // be kept.
  std::optional<TokenPrice> Find(std::string_view model) const;

 private:
  std::map<std::string, TokenPrice, std::less<>> prices_;
};

}  // namespace ip2p
