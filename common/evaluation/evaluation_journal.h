// The memory of an evaluation: FOLDER/samples.jsonl (FORMAT.md). The first line holds the settings, each
// other one a sample; what stands there is not done again. One process at a time (flock). One thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/run_file.h"
#include "common/evaluation/evaluation_options.h"
#include "common/evaluation/sample_record.h"
#include "common/storage/append_file.h"

namespace ip2p {

class EvaluationJournal {
 public:
  // Makes the folder and the file where there are none, and cuts a torn last line. ABORTED: another process
  // works on it. FAILED_PRECONDITION: it was made with other settings, each named. DATA_LOSS: damaged, names
  // the line. Errors else: of the disk.
  static absl::StatusOr<EvaluationJournal> Open(const std::string& folder, const RunSettings& settings,
                                                const std::vector<Guidance>& guidances);

  // Those of earlier runs, sample 0 first.
  const std::vector<SampleRecord>& past() const { return past_; }

  // On the disk when it returns. On an error the file is as before.
  absl::Status Append(const SampleRecord& record);

 private:
  explicit EvaluationJournal(AppendFile file) : file_(std::move(file)) {}
  absl::Status Replay(const RunSettings& settings, const std::vector<Guidance>& guidances);

  AppendFile file_;
  std::vector<SampleRecord> past_;
};

}  // namespace ip2p
