// Between the wire's words and this server's. All validation of a request's fields happens here.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ip2p/training/v1/training_service.pb.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/log_book.h"

namespace ip2p::training_coordinator {

// What a spec is checked against and completed by.
struct SpecEnvironment {
  SlotCounts slots;
  int threads_per_slot = 1;
};

// INVALID_ARGUMENT that lists all faults, one a line.
absl::StatusOr<JobOrder> OrderFromProto(const training::v1::SubmitJobRequest& request,
                                        const SpecEnvironment& environment);
absl::StatusOr<JobFilter> FilterFromProto(const training::v1::ListJobsRequest& request);

struct PromotionOrder {
  std::string job_id;
  std::optional<int64_t> step;
  std::string model;
};
absl::StatusOr<PromotionOrder> PromotionFromProto(const training::v1::PromoteCheckpointRequest& request);

// A page of what is listed: from where, and how much.
struct PageOrder {
  size_t offset = 0;
  size_t size = 100;
};
absl::StatusOr<PageOrder> PageFromProto(const training::v1::ListCheckpointsRequest& request);

struct LogOrder {
  std::string job_id;
  std::optional<int> rank;
  std::optional<int> tail;
  bool follow = false;
};
// `world_size` is the job's.
absl::StatusOr<LogOrder> LogOrderFromProto(const training::v1::StreamLogsRequest& request, int world_size);
// INVALID_ARGUMENT: out of range.
absl::StatusOr<absl::Duration> WatchInterval(const training::v1::WatchJobRequest& request);

StepFigures FromProto(const training::v1::TrainMetrics& wire);
ValidationFigures FromProto(const training::v1::ValidationMetrics& wire);

training::v1::Job ToProto(const JobView& view);
training::v1::Checkpoint ToProto(const CheckpointRecord& checkpoint);
training::v1::LogLine ToProto(const LogEntry& entry);

}  // namespace ip2p::training_coordinator
