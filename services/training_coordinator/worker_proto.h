// Between the workers' words and this server's.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "ip2p/training/v1/worker_service.pb.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/log_book.h"

namespace ip2p::training_coordinator {

// The token of "authorization: Bearer TOKEN"; empty when there is none.
std::string JobToken(const grpc::ServerContextBase& context);

WorkerId IdFromProto(const training::v1::WorkerIdentity& wire, const std::string& token);

struct Arrival {
  std::string host;
  int store_port = 0;
};
// INVALID_ARGUMENT for each of the below: what is missing or out of range.
absl::StatusOr<Arrival> ArrivalFromProto(const training::v1::JoinGroupRequest& request);
absl::StatusOr<CheckpointRecord> CheckpointFromProto(const training::v1::RecordCheckpointRequest& request);
absl::StatusOr<std::vector<LogEntry>> LinesFromProto(const training::v1::AppendLogsRequest& request);
absl::StatusOr<RankEnd> EndFromProto(const training::v1::LeaveGroupRequest& request);

training::v1::JoinGroupResponse ToProto(const GroupInfo& group);
training::v1::HeartbeatResponse ToProto(const OrderAt& order);

}  // namespace ip2p::training_coordinator
