// Jobs and checkpoints as the text that every store keeps (FORMAT.md). Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

std::string ToJson(const Job& job);
std::string ToJson(const CheckpointRecord& checkpoint);

// DATA_LOSS for what was not written by the above. Unknown keys are passed over, absent ones keep their
// defaults, so that a newer coordinator reads what an older one wrote.
absl::StatusOr<Job> JobFromJson(const std::string& text);
absl::StatusOr<CheckpointRecord> CheckpointFromJson(const std::string& text);

}  // namespace ip2p::training_coordinator
