// Whether a dataset is fit for training: every folder looked at, every image decoded, on several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/folder_check.h"

namespace ip2p {

inline constexpr double kMaxBadShare = 0.001;  // of pairs, from which on a dataset is refused

struct CheckOptions {
  int threads = 0;                                 // 0: one a core
  int64_t max_listed = 1000;                       // faults of a kind that are listed; all are counted
  std::function<void(int64_t, int64_t)> progress;  // folders done, of all; on the calling thread; may be null
};

struct CheckReport {
  int64_t prompts = 0;
  int64_t pairs = 0;  // whose images decode
  std::map<FaultKind, int64_t> counts;
  std::vector<Fault> faults;  // by folder, then as found
  int64_t bad() const;
  double bad_share() const;  // of pairs and bad ones
};

// Errors: NOT_FOUND, of the disk, FAILED_PRECONDITION (no prompt in it; a pack). What is wrong with the
// contents is in the report.
absl::StatusOr<CheckReport> CheckDataset(const std::string& dataset, const CheckOptions& options);

// FAILED_PRECONDITION when more than `max_share` is bad, with the counts.
absl::Status JudgeDataset(const CheckReport& report, double max_share);

std::string CheckText(const CheckReport& report);
std::string CheckJson(const CheckReport& report);

}  // namespace ip2p
