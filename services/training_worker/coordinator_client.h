// What a rank says to its coordinator, as calls with a status. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/training/run_types.h"
#include "grpcpp/channel.h"
#include "ip2p/training/v1/worker_service.grpc.pb.h"
#include "services/training_worker/config.h"

namespace ip2p::training_worker {

struct Group {
  training::v1::JobSpec spec;
  std::string store_host;
  int store_port = 0;
  std::optional<int64_t> resume_step;
  std::string mirror;  // empty: none
  absl::Duration heartbeat;
};

struct LogLine {
  absl::Time time;
  std::string text;
};

class CoordinatorClient {
 public:
  // UNAVAILABLE when the roots cannot be read.
  static absl::StatusOr<std::unique_ptr<CoordinatorClient>> Create(const WorkerConfig& config);
  // For tests: over a channel of theirs.
  CoordinatorClient(const WorkerConfig& config, const std::shared_ptr<grpc::Channel>& channel);

  // Tries again while the coordinator cannot be reached or others are missing, until config.join_seconds are
  // over. ABORTED: the launch is not the newest.
  absl::StatusOr<Group> Join(int store_port);
  absl::StatusOr<RunOrder> Heartbeat(const training::v1::TrainMetrics* metrics);
  // Tries again for a while: the checkpoint is on disk, and the coordinator should know.
  absl::Status RecordCheckpoint(const training::v1::Checkpoint& checkpoint);
  absl::Status AppendLogs(const std::vector<LogLine>& lines);
  absl::Status Leave(training::v1::WorkerOutcome outcome, const std::string& message);

 private:
  void Prepare(grpc::ClientContext& context, absl::Duration time) const;

  const WorkerConfig config_;
  training::v1::WorkerIdentity identity_;
  const std::unique_ptr<training::v1::WorkerService::Stub> stub_;
};

}  // namespace ip2p::training_worker
