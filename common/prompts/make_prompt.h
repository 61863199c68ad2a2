// One caption's way to its outcome: moderation, tries, checks. The loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/base/task.h"
#include "common/prompts/half_made.h"
#include "common/prompts/outcome.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

// What captions of a run share. All but `moderator` and `cancel` are needed; all outlive the task.
struct PromptParts {
  PromptModel* model = nullptr;
  Moderator* moderator = nullptr;  // null: what goes in and comes out is not judged
  SpendGuard* spend = nullptr;
  CancelToken* cancel = nullptr;
  GenerationParams params;
  // Writes down how far a caption has come, before more is asked for it; an error ends the caption, as
  // MadePrompt::end. Null: nothing is remembered.
  std::function<absl::Status(int64_t index, const HalfMade&)> keep = nullptr;
};

struct MadePrompt {
  // Not OK: there is no outcome, and none to be had for other captions either. CANCELLED, RESOURCE_EXHAUSTED
  // (the budget), FAILED_PRECONDITION (the key or the account), UNAVAILABLE.
  absl::Status end;
  Outcome outcome;        // without line
  Usage kept;             // that part of its usage which `keep` has written down, now or earlier
  absl::Status provider;  // why, for an outcome of kProviderError
};

// A good caption (CheckCaption). At most params.max_tries tries; a provider's failure ends them, since the
// writer has tried again already. `from`: goes on where an earlier process had come.
Task<MadePrompt> MakePrompt(const PromptParts& parts, Caption caption,
                            std::optional<HalfMade> from = std::nullopt);

}  // namespace ip2p
