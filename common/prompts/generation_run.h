// A run over many captions: so many in flight, each with exactly one outcome, recorded as it falls. The same
// engine behind `ip2p prompts generate` and PromptService.GeneratePrompts. The loop's thread.
//
// It ends early, with what is done kept and the rest for a later run, when it is cancelled, the budget is
// spent, the provider refuses the key, the disk fails, or the provider fails for so many captions in a row
// that something must be wrong: those captions get no outcome, so that an outage costs none.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/cancel_token.h"
#include "common/base/permutation.h"
#include "common/base/task.h"
#include "common/http/event_loop.h"
#include "common/prompts/budget.h"
#include "common/prompts/caption_file.h"
#include "common/prompts/journal.h"
#include "common/prompts/make_prompt.h"

namespace ip2p {

// Hears of a run on the loop's thread.
class RunListener {
 public:
  virtual ~RunListener() = default;
  // Waited for before a caption is begun: a slow reader slows the run, and at most `concurrency` outcomes
  // come after it says no.
  virtual Task<void> Room() { co_return; }
  virtual void OnOutcome(const Outcome& /*outcome*/) {}
  // What a caption consumed in this process, whether or not it gets an outcome. An outcome's usage contains
  // what earlier processes told here.
  virtual void OnUsage(const Usage& /*usage*/) {}
  // At the start, about once a second, and at the end.
  virtual void OnProgress(const RunCounts& /*counts*/, std::optional<absl::Duration> /*remaining*/) {}
  // The provider wants no request for so long (Retry-After), now or before this process began.
  virtual void OnPause(absl::Duration /*wait*/) {}
};

struct RunOptions {
  GenerationParams params;
  int64_t n_partitions = 1;
  int64_t partition = 0;
  int concurrency = 16;                      // captions in flight
  int max_failures = 20;                     // of the provider, in a row
  absl::Duration grace = absl::Seconds(10);  // for what is in flight when the run ends early
};

// All must outlive the run; `moderator`, `journal`, `listener` and `cancel` may be null.
struct RunParts {
  EventLoop* loop = nullptr;
  const CaptionFile* captions = nullptr;
  PromptModel* model = nullptr;
  Moderator* moderator = nullptr;
  Budget* budget = nullptr;
  Journal* journal = nullptr;
  RunListener* listener = nullptr;
  CancelToken* cancel = nullptr;
};

class GenerationRun {
 public:
  GenerationRun(const RunParts& parts, const RunOptions& options);
  GenerationRun(const GenerationRun&) = delete;
  GenerationRun& operator=(const GenerationRun&) = delete;

  // Once. OK: every caption of the partition has its outcome. Errors: as MadePrompt::end, UNAVAILABLE (the
  // provider failed too often), those of Journal and CaptionFile::Read.
  Task<absl::Status> Run();

  const RunCounts& counts() const { return counts_; }

 private:
  Task<void> Work();
  Task<void> Tick();
  Task<void> EndInTime();
  // Takes the next caption that needs work; records those that need none, a bounded number of them. False:
  // none is left. `caption` stays empty when there may be more.
  bool Take(std::optional<NumberedCaption>& caption);
  std::optional<HalfMade> HalfMadeBefore(int64_t index) const;
  void Finish(MadePrompt made, int64_t line);
  void FlushFailures();
  void DropFailures();
  void GiveUp(const MadePrompt& made);  // what it consumed counts, but the caption has no outcome
  void Record(const Outcome& outcome);
  void End(absl::Status status);
  void Tell();

  const RunParts parts_;
  const RunOptions options_;
  const Share share_;
  const Permutation order_;
  PromptParts prompt_parts_;
  CancelToken hard_stop_;  // gives up what is in flight
  CancelToken tick_stop_;
  WaitGroup tasks_;
  RunCounts counts_;
  int64_t next_;  // position
  int64_t finished_here_ = 0;
  absl::Time started_;
  absl::Status status_;  // not OK: the run ends
  bool ending_ = false;
  std::vector<MadePrompt> failures_;  // of the provider, in a row, not recorded yet
};

}  // namespace ip2p
