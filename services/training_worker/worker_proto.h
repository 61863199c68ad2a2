// Protobuf to the run's words and back; no protobuf type below these functions. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/training/run_types.h"
#include "common/training/training_run.h"
#include "ip2p/training/v1/worker_service.pb.h"

namespace ip2p::training_worker {

// Settings, start and dataset of a spec; what it leaves out has the contract's defaults. INVALID_ARGUMENT:
// an objective, a schedule or a start that is unknown. Ranges are checked by the run.
absl::StatusOr<TrainingRunOptions> OptionsFromProto(const training::v1::JobSpec& spec);

// The same from JSON. INVALID_ARGUMENT: no such message, with protobuf's word for what is wrong.
absl::StatusOr<training::v1::JobSpec> SpecFromJson(const std::string& text);

training::v1::TrainMetrics ToProto(const StepReport& report, const ValidationReport* validation,
                                   double remaining_seconds);
training::v1::ValidationMetrics ToProto(const ValidationReport& report);
training::v1::Checkpoint ToProto(const CheckpointReport& report, const std::string& job);
// An order that this worker does not know is none.
RunOrder OrderFromProto(const training::v1::HeartbeatResponse& response);

}  // namespace ip2p::training_worker
