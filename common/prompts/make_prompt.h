// One caption's way to its outcome: moderation, tries, checks. The loop's thread.
#pragma once

#include "absl/status/status.h"
#include "common/base/task.h"
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
};

struct MadePrompt {
  // Not OK: there is no outcome, and none to be had for other captions either. CANCELLED, RESOURCE_EXHAUSTED
  // (the budget), FAILED_PRECONDITION (the key or the account), UNAVAILABLE.
  absl::Status end;
  Outcome outcome;        // without line
  absl::Status provider;  // why, for an outcome of kProviderError
};

// A good caption (CheckCaption). At most params.max_tries tries; a provider's failure ends them, since the
// writer has tried again already.
Task<MadePrompt> MakePrompt(const PromptParts& parts, Caption caption);

}  // namespace ip2p
