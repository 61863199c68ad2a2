#include "common/prompts/make_prompt.h"

#include <algorithm>
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

// The way of one caption, with what it has come to.
class Making {
 public:
  Making(const PromptParts& parts, Caption caption, std::optional<HalfMade> from)
      : parts_(parts),
        caption_(std::move(caption)),
        normalised_(NormalisedCaption(caption_.text)),
        seed_(MixSeed(parts.params.seed, static_cast<uint64_t>(caption_.index))),
        judged_(from.has_value()),
        half_(std::move(from).value_or(HalfMade{})) {
    made_.outcome.index = caption_.index;
    made_.outcome.model = half_.model;
    made_.outcome.usage = half_.usage;
    made_.kept = half_.usage;
    // Fewer tries than an earlier process had: one is due all the same.
    if (!half_.pending) half_.tries = std::min(half_.tries, parts.params.max_tries - 1);
  }

  Task<MadePrompt> Make() {
    bool more = true;
    if (!judged_) more = co_await JudgeCaption();
    while (more && (half_.pending || half_.tries < parts_.params.max_tries)) {
      if (!half_.pending) more = co_await Write();
      if (more && half_.pending) more = co_await JudgeAnswer();
    }
    if (made_.outcome.rejected == RejectReason::kProviderError) {
      made_.outcome.detail = std::string(made_.provider.message());
    }
    co_return std::move(made_);
  }

 private:
  bool Judges() const { return parts_.moderator != nullptr && parts_.params.moderation; }
  uint64_t TrySeed(int tries) const { return MixSeed(seed_, static_cast<uint64_t>(tries)); }

  // Each returns whether there is more to do.
  Task<bool> JudgeCaption() {
    if (!Judges()) co_return true;
    std::vector<std::string> before{caption_.text};
    const bool fit = co_await Passes(parts_, std::move(before), seed_, RejectReason::kCaptionFlagged, &made_);
    co_return fit&& Keep();
  }

  Task<bool> Write() {
    TryContext context{TrySeed(half_.tries), parts_.params, *parts_.spend, parts_.cancel};
    const Attempt attempt = co_await parts_.model->Write(caption_, context);
    made_.outcome.usage += attempt.usage;
    if (!attempt.model.empty()) made_.outcome.model = attempt.model;
    if (EndsRun(attempt.result)) {
      made_.end = EndOf(attempt.result, attempt.status);
      co_return false;
    }
    made_.outcome.rejected = Fault(attempt, normalised_);
    made_.outcome.detail = std::string(attempt.status.message());
    made_.provider = attempt.status;
    ++half_.tries;
    if (made_.outcome.rejected != RejectReason::kNone) co_return TryAgain();
    half_.pending = true;
    half_.edit = attempt.edit;
    half_.output = attempt.output;
    co_return !Judges() || Keep();
  }

  Task<bool> JudgeAnswer() {
    std::vector<std::string> after{half_.edit, half_.output};
    const bool fit = co_await Passes(parts_, std::move(after), TrySeed(half_.tries - 1),
                                     RejectReason::kAnswerFlagged, &made_);
    half_.pending = false;
    if (fit) {
      Accept();
      co_return false;
    }
    co_return made_.end.ok() && TryAgain();
  }

  bool TryAgain() {
    if (!MayImprove(made_.outcome.rejected)) return false;
    return half_.tries >= parts_.params.max_tries || Keep();
  }

  bool Keep() {
    half_.model = made_.outcome.model;
    half_.usage = made_.outcome.usage;
    if (!parts_.keep) return true;
    made_.end = parts_.keep(caption_.index, half_);
    if (made_.end.ok()) made_.kept = half_.usage;
    return made_.end.ok();
  }

  void Accept() {
    Outcome& outcome = made_.outcome;
    outcome.rejected = RejectReason::kNone;
    outcome.detail.clear();
    outcome.prompt.caption = caption_.text;
    outcome.prompt.edit = std::string(absl::StripAsciiWhitespace(half_.edit));
    outcome.prompt.output = std::string(absl::StripAsciiWhitespace(half_.output));
    outcome.prompt.url = caption_.url;
    outcome.prompt.model = outcome.model;
    outcome.prompt.usage = outcome.usage;
  }

  const PromptParts& parts_;
  const Caption caption_;
  const std::string normalised_;
  const uint64_t seed_;
  const bool judged_;
  HalfMade half_;
  MadePrompt made_;
};

}  // namespace

Task<MadePrompt> MakePrompt(const PromptParts& parts, Caption caption, std::optional<HalfMade> from) {
  Making making(parts, std::move(caption), std::move(from));
  co_return co_await making.Make();
}

}  // namespace ip2p
