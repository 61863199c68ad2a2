// A run through the Batch API: cheaper, answers within a day, survives restarts. The loop's thread.
//
// Captions go out in batches, several at once; each answer passes the same checks as one of GenerationRun's.
// What fails but may do better goes into the next round, as often as the parameters allow tries. The journal
// remembers which batches are open, before each is ordered, so that a run that was killed or cancelled finds
// them again and orders nothing twice. Cancelling leaves the batches to the provider: the next run on this
// output takes them over.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/openai/openai_api.h"
#include "common/openai/price_table.h"
#include "common/prompts/batch_file.h"
#include "common/prompts/batch_state.h"
#include "common/prompts/generation_run.h"

namespace ip2p {

struct BatchLimits {
  int captions = 2000;                           // of a batch
  size_t bytes = 16 << 20;                       // of its file
  size_t batches = 8;                            // open at once
  absl::Duration first_poll = absl::Seconds(1);  // doubles
  absl::Duration longest_poll = absl::Minutes(1);
};

class BatchRun {
 public:
  // `parts.model` is not used; journal and budget are needed. All must outlive the run.
  BatchRun(const RunParts& parts, const RunOptions& options, OpenAiApi* api, std::string model,
           TokenPrice price, BatchLimits limits = {});
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  // Once. As GenerationRun::Run; also FAILED_PRECONDITION: the provider refuses a batch.
  Task<absl::Status> Run();

  const RunCounts& counts() const { return counts_; }

 private:
  struct Draft {  // a batch before it is ordered
    OpenBatch batch;
    std::string file;  // empty: every caption has its outcome already
  };

  absl::Status Begin();
  absl::Status Keep();  // the state, in the journal
  absl::Status Record(Outcome outcome);
  absl::Status RecordTried(const Outcome& outcome);
  bool Settled(int64_t index) const;  // in this round or for ever
  bool LastRound() const { return state_.round + 1 >= options_.params.max_tries; }
  void Tell();

  // What is left of an earlier run: finds what it ordered when it was killed, or orders that again.
  Task<absl::Status> Recover();
  // Orders batches while there is room, work and money.
  Task<absl::Status> Fill();
  // Takes captions without an outcome from position `first` on.
  Task<absl::StatusOr<Draft>> Collect(int64_t first, int64_t end);
  Task<absl::Status> TakeOutFlagged(std::vector<NumberedCaption>* captions);
  Task<absl::Status> Order(Draft draft);
  Task<absl::StatusOr<std::string>> Upload(std::string file);
  // Looks at every open batch once; `ended` counts those that are over.
  Task<absl::Status> Poll(int* ended);
  Task<absl::Status> Finish(OpenBatch batch, nlohmann::json answer);
  Task<absl::Status> Settle(std::string file, int64_t* cost_micro_usd);
  Task<void> SettleOne(BatchAnswer answer, WaitGroup* group, absl::Status* status);
  // At the end of a round: the next one, or outcomes for what no batch answered.
  absl::Status EndRound(bool* over);

  const RunParts parts_;
  const RunOptions options_;
  OpenAiApi* const api_;
  const std::string model_;
  const OpenAiStyle style_;
  const TokenPrice price_;
  const BatchLimits limits_;
  const Share share_;
  const Permutation order_;
  std::vector<bool> done_;
  std::map<int64_t, Tried> tried_;  // captions without an outcome that a batch has answered
  BatchState state_;
  RunCounts counts_;
};

}  // namespace ip2p
