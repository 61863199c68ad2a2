// The memory of a generation run: OUTPUT.journal, append-only, one JSON object a line (FORMAT.md), and
// OUTPUT, whose lines are the accepted prompts of the journal in the same order. Each outcome is written to
// the journal first, then to the output; opening brings the two together again, whenever the process was
// killed in between.
//
// One process at a time holds the journal (flock). One thread. Costs one write(2) a record.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/hash128.h"
#include "common/prompts/half_made.h"
#include "common/prompts/outcome.h"
#include "common/storage/append_file.h"

namespace ip2p {

// What a run is about. A journal belongs to one of these for ever.
struct RunIdentity {
  int64_t captions = 0;  // records of the whole file
  Hash128 fingerprint;   // of the whole file
  uint64_t seed = 0;     // of the order
  int64_t n_partitions = 1;
  int64_t partition = 0;
  friend bool operator==(const RunIdentity&, const RunIdentity&) = default;
};

// A caption that a batch has answered, but not well enough for an outcome.
struct Tried {
  int round = 0;  // the last one
  Usage usage;    // of all
};

// What earlier runs left.
struct RunPast {
  std::vector<bool> done;                          // by the caption's index in the file
  RunCounts counts;                                // `total` is not known here
  int64_t spent_micro_usd = 0;                     // settled, and reserved by requests whose end nobody saw
  std::string state;                               // the last RecordState, empty when there was none
  std::map<int64_t, Tried> tried;                  // by the caption's index; none of them is done
  std::map<int64_t, HalfMade> half_made;           // likewise: what was in flight when a process ended
  absl::Time closed_until = absl::InfinitePast();  // the last RecordClosed
};

class Journal {
 public:
  // Cuts a torn last line, completes the output. Errors: ABORTED (another process works on it),
  // FAILED_PRECONDITION (it belongs to another run, or the output exists without a journal), DATA_LOSS
  // (damaged, or the output was changed; names the line), as AppendFile.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& output_path,
                                                       const RunIdentity& identity);

  const RunPast& past() const { return past_; }

  // Records the outcome, and the prompt if accepted. On an error neither file has a part of it.
  absl::Status Append(const Outcome& outcome, int64_t spent_micro_usd, int64_t reserved_micro_usd);
  // Call before a request goes out: a killed process has spent at most what stands here.
  // `usage`: of captions that got no outcome, so that the sums of all runs hold it.
  absl::Status RecordMoney(int64_t spent_micro_usd, int64_t reserved_micro_usd, const Usage& usage = {});
  // Something of the provider's that must survive (a batch's id): one JSON object.
  absl::Status RecordState(std::string_view json);
  // What a round of batches cost a caption that goes into the next; its outcome's usage must contain it.
  absl::Status RecordTried(int64_t index, int round, const Usage& usage);
  // How far a caption has come; the last one counts, and its outcome's usage must contain its.
  absl::Status RecordHalfMade(int64_t index, const HalfMade& half);
  // The provider wants no request before then, whoever asks.
  absl::Status RecordClosed(absl::Time until);
  absl::Status Sync();

 private:
  Journal(AppendFile journal, AppendFile output) : journal_(std::move(journal)), output_(std::move(output)) {}
  absl::Status Replay(const RunIdentity& identity);

  AppendFile journal_;
  AppendFile output_;
  RunPast past_;
};

struct JournalRecord {
  Outcome outcome;  // without the prompt
  std::string_view prompt_line;
};
// Calls `visit` with every outcome in a journal that nobody has to hold, for statistics, and adds what
// captions without one consumed to `lost`. DATA_LOSS names the line.
absl::Status ReadJournal(const std::string& path, const std::function<void(const JournalRecord&)>& visit,
                         Usage& lost);

}  // namespace ip2p
