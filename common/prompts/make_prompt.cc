#include "common/prompts/make_prompt.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/permutation.h"
#include "common/prompts/caption_text.h"

namespace ip2p {
namespace {

// Why a run ends, in the words and codes of its caller.
absl::Status EndOf(AttemptResult result, const absl::Status& status) {
  if (result == AttemptResult::kCancelled) return absl::CancelledError("the run was cancelled");
  if (result == AttemptResult::kOutOfBudget) {
    return !status.ok() ? status  // which may be the journal's: nothing is sent that can't be written down
                        : absl::ResourceExhaustedError("the budget is spent; wants a higher limit to go on");
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return absl::UnavailableError(status.message());
    default:  // the key, the model's name: trying again changes nothing
      return absl::FailedPreconditionError(status.message());
  }
}

bool EndsRun(AttemptResult result) {
  return result == AttemptResult::kCancelled || result == AttemptResult::kOutOfBudget ||
         result == AttemptResult::kFatal;
}

// Why an answer can't be taken; kNone when it can.
RejectReason Fault(const Attempt& attempt, const std::string& normalised_caption) {
  if (attempt.result == AttemptResult::kRefused) return RejectReason::kRefused;
  if (attempt.result == AttemptResult::kProviderError) return RejectReason::kProviderError;
  const bool whole = attempt.result == AttemptResult::kAnswered && CheckCaption(attempt.edit, "").ok() &&
                     CheckCaption(attempt.output, "").ok();
  if (!whole) return RejectReason::kMalformed;
  return NormalisedCaption(attempt.output) == normalised_caption ? RejectReason::kUnchanged
                                                                 : RejectReason::kNone;
}

// Whether another try may do better.
bool MayImprove(RejectReason reason) {
  return reason == RejectReason::kMalformed || reason == RejectReason::kUnchanged ||
         reason == RejectReason::kAnswerFlagged;
}

// Judges texts and puts what that means into `made`. False: the caption is done with.
Task<bool> Passes(const PromptParts& parts, std::vector<std::string> texts, uint64_t seed,
                  RejectReason flagged, MadePrompt* made) {
  if (parts.moderator == nullptr || !parts.params.moderation) co_return true;
  TryContext context{seed, parts.params, *parts.spend, parts.cancel};
  const Verdict verdict = co_await parts.moderator->Judge(std::move(texts), context);
  made->outcome.usage += verdict.usage;
  if (EndsRun(verdict.result)) {
    made->end = EndOf(verdict.result, verdict.status);
  } else if (verdict.result != AttemptResult::kAnswered) {
    made->outcome.rejected = RejectReason::kProviderError;
    made->provider = verdict.status;
  } else if (verdict.flagged) {
    made->outcome.rejected = flagged;
  } else {
    co_return true;
  }
  co_return false;
}

void Accept(Attempt attempt, const Caption& caption, Outcome& outcome) {
  outcome.rejected = RejectReason::kNone;
  outcome.detail.clear();
  outcome.prompt.caption = caption.text;
  outcome.prompt.edit = std::string(absl::StripAsciiWhitespace(attempt.edit));
  outcome.prompt.output = std::string(absl::StripAsciiWhitespace(attempt.output));
  outcome.prompt.url = caption.url;
  outcome.prompt.model = outcome.model;
  outcome.prompt.usage = outcome.usage;
}

}  // namespace

Task<MadePrompt> MakePrompt(const PromptParts& parts, Caption caption) {
  MadePrompt made;
  made.outcome.index = caption.index;
  const std::string normalised = NormalisedCaption(caption.text);
  const uint64_t seed = MixSeed(parts.params.seed, static_cast<uint64_t>(caption.index));
  std::vector<std::string> before{caption.text};
  const bool fit = co_await Passes(parts, std::move(before), seed, RejectReason::kCaptionFlagged, &made);
  for (int tries = 0; fit && tries < parts.params.max_tries; ++tries) {
    const uint64_t try_seed = MixSeed(seed, static_cast<uint64_t>(tries));
    TryContext context{try_seed, parts.params, *parts.spend, parts.cancel};
    Attempt attempt = co_await parts.model->Write(caption, context);
    made.outcome.usage += attempt.usage;
    if (!attempt.model.empty()) made.outcome.model = attempt.model;
    if (EndsRun(attempt.result)) {
      made.end = EndOf(attempt.result, attempt.status);
      break;
    }
    made.outcome.rejected = Fault(attempt, normalised);
    made.outcome.detail = std::string(attempt.status.message());
    made.provider = attempt.status;
    if (made.outcome.rejected == RejectReason::kNone) {
      std::vector<std::string> after{attempt.edit, attempt.output};
      if (co_await Passes(parts, std::move(after), try_seed, RejectReason::kAnswerFlagged, &made)) {
        Accept(std::move(attempt), caption, made.outcome);
        break;
      }
    }
    if (!made.end.ok() || !MayImprove(made.outcome.rejected)) break;
  }
  if (made.outcome.rejected == RejectReason::kProviderError) {
    made.outcome.detail = std::string(made.provider.message());
  }
  co_return made;
}

}  // namespace ip2p
