// Small pure helpers around checkpoints and launches that the coordinator's parts share.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "services/training_coordinator/decisions.h"
#include "services/training_coordinator/job.h"
#include "services/training_coordinator/launcher.h"

namespace ip2p::training_coordinator {

using CheckpointsByStep = std::map<int64_t, CheckpointRecord>;

// Newest by the time they were recorded: a job that went back to an older step counts from there.
std::vector<CheckpointRecord> NewestFirst(const CheckpointsByStep& checkpoints);
// What the next launch goes on from: the operator's choice, else the newest; nothing at the first start.
std::optional<int64_t> ResumeStep(const Job& job, const CheckpointsByStep& checkpoints);
// NOT_FOUND that names the steps there are.
absl::Status NoSuchStep(const CheckpointsByStep& checkpoints, int64_t step);

// The step of a save that is ordered now; never before that of one ordered earlier.
int64_t SaveStepOf(const Job& job, const GroupView& group, const GroupLimits& limits);

LaunchOrder OrderOf(const Job& job);

}  // namespace ip2p::training_coordinator
