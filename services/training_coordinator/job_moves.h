// The states of a job and the moves between them: one table, which every change of a state passes. Pure.
#pragma once

#include "absl/status/status.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

const char* StateName(JobState state);  // "QUEUED"

bool IsLegalMove(JobState from, JobState to);
// Succeeded, failed or cancelled: no move leads out.
bool IsFinal(JobState state);
// Workers of its newest launch do its work.
inline bool IsActive(JobState state) { return state == JobState::kStarting || state == JobState::kRunning; }
// Counts against the slots: also while it waits out a back-off, and as long as workers of it may live.
inline bool HoldsSlots(const Job& job) {
  return IsActive(job.state) || job.state == JobState::kRestarting || job.launched;
}

// FAILED_PRECONDITION: "job x is PAUSED; wants RUNNING to be paused".
absl::Status WantsState(const Job& job, JobState wanted, const char* what_for);

}  // namespace ip2p::training_coordinator
