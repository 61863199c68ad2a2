// What a run through the Batch API must remember over restarts: a JSON object in the journal (FORMAT.md).
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct OpenBatch {
  std::string id;     // the provider's; empty: ordered, but nobody saw the answer
  int64_t first = 0;  // positions of the order of captions, first..end-1; those with an outcome are left out
  int64_t end = 0;
  int64_t reserved_micro_usd = 0;
  friend bool operator==(const OpenBatch&, const OpenBatch&) = default;
};

struct BatchState {
  std::string run;   // a random name, in the batches' metadata, by which they are found again
  int round = 0;     // the how manyth try of every caption, from 0
  int64_t next = 0;  // position from which no batch was made in this round
  std::vector<OpenBatch> open;
  friend bool operator==(const BatchState&, const BatchState&) = default;
};

std::string ToJson(const BatchState& state);
// DATA_LOSS: it is none of ours.
absl::StatusOr<BatchState> ParseBatchState(std::string_view json);

}  // namespace ip2p
