// What became of a caption: exactly one of these for each. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/dataset/prompt.h"
#include "common/dataset/usage.h"

namespace ip2p {

enum class RejectReason {
  kNone,  // accepted
  kBadCaption,
  kDuplicate,
  kCaptionFlagged,
  kAnswerFlagged,
  kMalformed,
  kUnchanged,
  kRefused,
  kProviderError,
};

inline constexpr int kRejectReasons = 9;  // kNone included

// "none", "bad_caption", ...: in journals and metrics.
const char* RejectName(RejectReason reason);
// False when there is no such name.
bool ParseReject(std::string_view name, RejectReason& reason);

struct Outcome {
  int64_t index = 0;  // of the caption in its file or request, from 0
  int64_t line = 0;   // of the file, from 1; 0: unknown
  RejectReason rejected = RejectReason::kNone;
  std::string detail;  // why, for a bad caption or a provider's failure
  Prompt prompt;       // when accepted; its model and usage are those below
  std::string model;   // that answered last; empty when none did
  Usage usage;         // of all tries
};

// Where a run stands; what earlier runs on the same output did is included.
struct RunCounts {
  int64_t total = 0;  // captions of this partition
  int64_t accepted = 0;
  int64_t rejected = 0;
  int64_t resumed = 0;  // outcomes taken over from the journal, contained in the two above
  Usage usage;
};

}  // namespace ip2p
