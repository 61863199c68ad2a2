// metrics.jsonl of a run (FORMAT.md): a line a step, for plots. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/append_file.h"
#include "common/training/run_types.h"

namespace ip2p {

class MetricsLog {
 public:
  // Goes on after `step`: lines of later steps are cut off, and a torn last one. Errors: as AppendFile.
  static absl::StatusOr<MetricsLog> Open(const std::string& run, int64_t step);
  absl::Status Append(const StepReport& report);

 private:
  explicit MetricsLog(AppendFile file) : file_(std::move(file)) {}
  AppendFile file_;
};

}  // namespace ip2p
