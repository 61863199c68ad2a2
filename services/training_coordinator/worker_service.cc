#include "services/training_coordinator/worker_service.h"

#include <utility>

#include "common/base/status_macros.h"
#include "services/training_coordinator/training_proto.h"
#include "services/training_coordinator/worker_proto.h"

namespace ip2p::training_coordinator {

namespace v1 = training::v1;

WorkerService::Unary* WorkerService::JoinGroup(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::JoinGroupRequest, v1::JoinGroupResponse>::Begin(
      context, parts_.calls, "JoinGroup", request, response,
      [this, token = JobToken(*context),
       joined = false](const v1::JoinGroupRequest& wire) mutable -> Answer<v1::JoinGroupResponse> {
        const WorkerId worker = IdFromProto(wire.worker(), token);
        if (!joined) {
          IP2P_ASSIGN_OR_RETURN(const Arrival arrival, ArrivalFromProto(wire));
          IP2P_RETURN_IF_ERROR(parts_.coordinator->Join(worker, arrival.host, arrival.store_port));
        }
        joined = true;
        IP2P_ASSIGN_OR_RETURN(const std::optional<GroupInfo> group, parts_.coordinator->Group(worker));
        if (!group) return std::optional<v1::JoinGroupResponse>();
        return std::optional<v1::JoinGroupResponse>(ToProto(*group));
      });
}

WorkerService::Unary* WorkerService::Heartbeat(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::HeartbeatRequest, v1::HeartbeatResponse>::Begin(
      context, parts_.calls, "Heartbeat", request, response,
      [this, token = JobToken(*context)](const v1::HeartbeatRequest& wire) -> Answer<v1::HeartbeatResponse> {
        std::optional<StepFigures> figures;
        if (wire.has_metrics()) figures = FromProto(wire.metrics());
        IP2P_ASSIGN_OR_RETURN(const OrderAt order,
                              parts_.coordinator->Heartbeat(IdFromProto(wire.worker(), token), figures));
        return std::optional<v1::HeartbeatResponse>(ToProto(order));
      },
      /*quiet=*/true);
}

WorkerService::Unary* WorkerService::RecordCheckpoint(Context* context, const Bytes* request,
                                                      Bytes* response) {
  return UnaryCall<v1::RecordCheckpointRequest, v1::RecordCheckpointResponse>::Begin(
      context, parts_.calls, "RecordCheckpoint", request, response,
      [this, token = JobToken(*context)](
          const v1::RecordCheckpointRequest& wire) -> Answer<v1::RecordCheckpointResponse> {
        IP2P_ASSIGN_OR_RETURN(CheckpointRecord checkpoint, CheckpointFromProto(wire));
        IP2P_RETURN_IF_ERROR(
            parts_.coordinator->RecordCheckpoint(IdFromProto(wire.worker(), token), std::move(checkpoint)));
        return std::optional<v1::RecordCheckpointResponse>(std::in_place);
      });
}

WorkerService::Unary* WorkerService::AppendLogs(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::AppendLogsRequest, v1::AppendLogsResponse>::Begin(
      context, parts_.calls, "AppendLogs", request, response,
      [this,
       token = JobToken(*context)](const v1::AppendLogsRequest& wire) -> Answer<v1::AppendLogsResponse> {
        IP2P_ASSIGN_OR_RETURN(const std::vector<LogEntry> lines, LinesFromProto(wire));
        IP2P_RETURN_IF_ERROR(parts_.coordinator->CheckWorker(IdFromProto(wire.worker(), token)));
        const std::string& id = wire.worker().job_id();
        IP2P_RETURN_IF_ERROR(parts_.logs->Of(id, parts_.folders->LogFolder(id))->Append(lines));
        return std::optional<v1::AppendLogsResponse>(std::in_place);
      },
      /*quiet=*/true);
}

WorkerService::Unary* WorkerService::LeaveGroup(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::LeaveGroupRequest, v1::LeaveGroupResponse>::Begin(
      context, parts_.calls, "LeaveGroup", request, response,
      [this,
       token = JobToken(*context)](const v1::LeaveGroupRequest& wire) -> Answer<v1::LeaveGroupResponse> {
        IP2P_ASSIGN_OR_RETURN(const RankEnd end, EndFromProto(wire));
        IP2P_RETURN_IF_ERROR(
            parts_.coordinator->Leave(IdFromProto(wire.worker(), token), end.outcome, end.message));
        return std::optional<v1::LeaveGroupResponse>(std::in_place);
      });
}

}  // namespace ip2p::training_coordinator
