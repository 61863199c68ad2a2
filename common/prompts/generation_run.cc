#include "common/prompts/generation_run.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

constexpr int kTakenAtOnce = 256;      // captions that need no work, before other tasks get their turn
constexpr int kTicksBetweenSyncs = 5;  // a machine that dies loses this many seconds

}  // namespace

GenerationRun::GenerationRun(const RunParts& parts, const RunOptions& options)
    : parts_(parts),
      options_(options),
      share_(ShareOf(parts.captions->size(), options.n_partitions, options.partition)),
      order_(parts.captions->size(), options.params.seed),
      prompt_parts_{.model = parts.model,
                    .moderator = parts.moderator,
                    .spend = parts.budget,
                    .cancel = &hard_stop_,
                    .params = options.params},
      next_(share_.begin) {
  if (parts.journal == nullptr) return;
  prompt_parts_.keep = [journal = parts.journal](int64_t index, const HalfMade& half) {
    return journal->RecordHalfMade(index, half);
  };
}

Task<absl::Status> GenerationRun::Run() {
  started_ = parts_.loop->Now();
  if (parts_.journal != nullptr) counts_ = parts_.journal->past().counts;
  counts_.total = share_.end - share_.begin;
  Tell();
  const CancelToken::Callback on_cancel(parts_.cancel,
                                        [this] { End(absl::CancelledError("the run was cancelled")); });
  // The group counts the workers and the tick, which is stopped when only it is left.
  tasks_.Add();
  Spawn(Tick());
  for (int i = 0; i < options_.concurrency; ++i) {
    tasks_.Add();
    Spawn(Work());
  }
  co_await tasks_.WaitUntil(1);
  tick_stop_.Cancel();
  co_await tasks_.Wait();
  if (status_.ok()) FlushFailures();
  DropFailures();
  if (parts_.journal != nullptr && parts_.budget != nullptr) {
    absl::Status kept =
        parts_.journal->RecordMoney(parts_.budget->spent_micro_usd(), parts_.budget->reserved_micro_usd());
    if (kept.ok()) kept = parts_.journal->Sync();
    if (status_.ok()) status_ = std::move(kept);
  }
  Tell();
  co_return status_;
}

Task<void> GenerationRun::Work() {
  while (!ending_) {
    if (parts_.listener != nullptr) co_await parts_.listener->Room();
    std::optional<NumberedCaption> next;
    if (ending_ || !Take(next)) break;
    if (next) {
      Caption caption = std::move(next->caption);
      const int64_t line = next->line;
      std::optional<HalfMade> from = HalfMadeBefore(caption.index);
      const Usage before = from.has_value() ? from->usage : Usage{};
      MadePrompt made = co_await MakePrompt(prompt_parts_, std::move(caption), std::move(from));
      if (parts_.listener != nullptr) parts_.listener->OnUsage(made.outcome.usage - before);
      Finish(std::move(made), line);
    }
    // A writer that never waits would keep the loop to itself.
    if (!next || finished_here_ % kTakenAtOnce == 0) {
      static_cast<void>(co_await parts_.loop->Sleep(absl::ZeroDuration()));
    }
  }
  tasks_.Done();
}

std::optional<HalfMade> GenerationRun::HalfMadeBefore(int64_t index) const {
  if (parts_.journal == nullptr) return std::nullopt;
  const std::map<int64_t, HalfMade>& before = parts_.journal->past().half_made;
  const auto found = before.find(index);
  return found == before.end() ? std::nullopt : std::optional(found->second);
}

Task<void> GenerationRun::Tick() {
  for (int ticks = 1; (co_await parts_.loop->Sleep(absl::Seconds(1), &tick_stop_)).ok(); ++ticks) {
    Tell();
    if (parts_.journal == nullptr || ticks % kTicksBetweenSyncs != 0) continue;
    if (absl::Status status = parts_.journal->Sync(); !status.ok()) End(std::move(status));
  }
  tasks_.Done();
}

Task<void> GenerationRun::EndInTime() {
  // Over before its time when the run is: then only this and the tick are left, and the tick's stop ends
  // both.
  static_cast<void>(co_await parts_.loop->Sleep(options_.grace, &tick_stop_));
  hard_stop_.Cancel();
}

bool GenerationRun::Take(std::optional<NumberedCaption>& caption) {
  for (int taken = 0; taken < kTakenAtOnce; ++taken) {
    if (next_ == share_.end) return false;
    const int64_t index = order_.At(next_++);
    if (parts_.journal != nullptr && parts_.journal->past().done[static_cast<size_t>(index)]) continue;
    absl::StatusOr<NumberedCaption> read = parts_.captions->Read(index);
    if (!read.ok()) {
      End(read.status());
      return false;
    }
    if (read->state == CaptionState::kGood) {
      caption = *std::move(read);
      return true;
    }
    Outcome outcome;
    outcome.index = index;
    outcome.line = read->line;
    outcome.detail = std::move(read->fault);
    outcome.rejected =
        read->state == CaptionState::kBad ? RejectReason::kBadCaption : RejectReason::kDuplicate;
    Record(outcome);
    if (ending_) return false;
  }
  return true;
}

void GenerationRun::Finish(MadePrompt made, int64_t line) {
  made.outcome.line = line;
  if (!made.end.ok()) {
    GiveUp(made);
    End(std::move(made.end));
    return;
  }
  if (made.outcome.rejected != RejectReason::kProviderError) {
    FlushFailures();
    Record(made.outcome);
    return;
  }
  failures_.push_back(made);
  if (static_cast<int>(failures_.size()) < options_.max_failures) return;
  const bool final = absl::IsInvalidArgument(made.provider) || absl::IsNotFound(made.provider) ||
                     absl::IsPermissionDenied(made.provider) || absl::IsUnauthenticated(made.provider);
  const std::string why = absl::StrCat("the provider failed for ", failures_.size(),
                                       " captions in a row: ", made.provider.message());
  DropFailures();
  End(final ? absl::FailedPreconditionError(why) : absl::UnavailableError(why));
}

void GenerationRun::FlushFailures() {
  for (const MadePrompt& failure : std::exchange(failures_, {})) Record(failure.outcome);
}

void GenerationRun::DropFailures() {
  for (const MadePrompt& failure : std::exchange(failures_, {})) GiveUp(failure);
}

void GenerationRun::GiveUp(const MadePrompt& made) {
  counts_.usage += made.outcome.usage;
  const Usage lost = made.outcome.usage - made.kept;  // the rest goes into its outcome, when it has one
  if (parts_.journal == nullptr || lost.requests == 0) return;
  absl::Status kept = parts_.journal->RecordMoney(parts_.budget->spent_micro_usd(),
                                                  parts_.budget->reserved_micro_usd(), lost);
  if (!kept.ok()) End(std::move(kept));
}

void GenerationRun::Record(const Outcome& outcome) {
  if (parts_.journal != nullptr) {
    const absl::Status kept = parts_.journal->Append(outcome, parts_.budget->spent_micro_usd(),
                                                     parts_.budget->reserved_micro_usd());
    if (!kept.ok()) {
      End(kept);
      return;
    }
  }
  ++finished_here_;
  (outcome.rejected == RejectReason::kNone ? counts_.accepted : counts_.rejected) += 1;
  counts_.usage += outcome.usage;
  if (parts_.listener != nullptr) parts_.listener->OnOutcome(outcome);
}

void GenerationRun::End(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  if (std::exchange(ending_, true)) return;
  Spawn(EndInTime());
}

void GenerationRun::Tell() {
  if (parts_.listener == nullptr) return;
  const absl::Duration elapsed = parts_.loop->Now() - started_;
  const int64_t left = counts_.total - counts_.accepted - counts_.rejected;
  std::optional<absl::Duration> remaining;
  if (finished_here_ > 0 && elapsed >= absl::Seconds(1)) {
    remaining = elapsed / static_cast<double>(finished_here_) * static_cast<double>(left);
  }
  parts_.listener->OnProgress(counts_, remaining);
}

}  // namespace ip2p
