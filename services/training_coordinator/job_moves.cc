#include "services/training_coordinator/job_moves.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace ip2p::training_coordinator {
namespace {

constexpr int kStates = 9;  // the wire's numbers, 0 is none

constexpr unsigned To(JobState state) { return 1U << static_cast<int>(state); }

constexpr std::array<unsigned, kStates> MakeTable() {
  using enum JobState;
  std::array<unsigned, kStates> table{};
  const auto row = [&table](JobState from) -> unsigned& { return table[static_cast<size_t>(from)]; };
  row(kQueued) = To(kStarting) | To(kCancelled);
  row(kStarting) = To(kRunning) | To(kRestarting) | To(kFailed) | To(kCancelled);
  row(kRunning) = To(kPaused) | To(kRestarting) | To(kSucceeded) | To(kFailed) | To(kCancelled);
  row(kRestarting) = To(kStarting) | To(kFailed) | To(kCancelled);
  row(kPaused) = To(kQueued) | To(kCancelled);
  return table;  // the other three are final
}

constexpr std::array<unsigned, kStates> kMoves = MakeTable();

}  // namespace

const char* StateName(JobState state) {
  constexpr std::array<const char*, kStates> kNames = {"UNSPECIFIED", "QUEUED",     "STARTING",
                                                       "RUNNING",     "RESTARTING", "PAUSED",
                                                       "SUCCEEDED",   "FAILED",     "CANCELLED"};
  return kNames[static_cast<size_t>(state)];
}

bool IsLegalMove(JobState from, JobState to) { return (kMoves[static_cast<size_t>(from)] & To(to)) != 0; }

bool IsFinal(JobState state) { return kMoves[static_cast<size_t>(state)] == 0; }

absl::Status WantsState(const Job& job, JobState wanted, const char* what_for) {
  if (job.state == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("job ", job.id, " is ", StateName(job.state), "; wants ",
                                                    StateName(wanted), " ", what_for));
}

}  // namespace ip2p::training_coordinator
