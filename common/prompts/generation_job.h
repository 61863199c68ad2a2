// A generation as a caller orders it, from its files to its end. Opening reads all captions once and may take
// seconds, on any thread; running belongs to the loop's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/prompts/generation_run.h"
#include "common/prompts/providers.h"

namespace ip2p {

struct GenerationOrder {
  std::string captions_path;      // "-": standard input; else `captions` when empty
  std::vector<Caption> captions;  // 1..10000, carried by a request
  std::string output_path;        // empty: no journal, nothing is written and nothing can be resumed
  std::string temp_folder;        // empty: the output's folder, else the system's
  ProviderKind provider = ProviderKind::kDefault;
  std::optional<int64_t> max_micro_usd;  // nothing: unlimited; 0: only what is free
  RunOptions run;
};

// INVALID_ARGUMENT with every fault, one a line.
absl::Status CheckOrder(const GenerationOrder& order);

// Where partition 3 of 10 of "a/prompts.jsonl" goes: "a/prompts-00003-of-00010.jsonl". One partition: the
// path itself.
std::string PartitionPath(const std::string& path, int64_t n_partitions, int64_t partition);

class GenerationJob {
 public:
  // Errors: those of CheckOrder, CaptionFile::Open and Journal::Open (ABORTED: another process works on this
  // output).
  static absl::StatusOr<std::unique_ptr<GenerationJob>> Open(GenerationOrder order);

  // Once. `listener` and `cancel` may be null. Errors: those of Providers::Writer and GenerationRun::Run.
  Task<absl::Status> Run(Providers& providers, RunListener* listener, CancelToken* cancel);

  const GenerationOrder& order() const { return order_; }
  const RunCounts& counts() const { return counts_; }  // after Run
  int64_t spent_micro_usd() const { return spent_; }   // after Run, by all runs on this output

 private:
  GenerationJob(GenerationOrder order, std::unique_ptr<CaptionFile> captions,
                std::unique_ptr<Journal> journal)
      : order_(std::move(order)), captions_(std::move(captions)), journal_(std::move(journal)) {}

  Task<absl::Status> RunBatches(const RunParts& parts, Providers& providers);

  const GenerationOrder order_;
  const std::unique_ptr<CaptionFile> captions_;
  const std::unique_ptr<Journal> journal_;  // null: none
  RunCounts counts_;
  int64_t spent_ = 0;
};

}  // namespace ip2p
