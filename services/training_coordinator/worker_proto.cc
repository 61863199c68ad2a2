#include "services/training_coordinator/worker_proto.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/duration_proto.h"
#include "services/training_coordinator/cut_text.h"
#include "services/training_coordinator/training_proto.h"

namespace ip2p::training_coordinator {
namespace {

namespace v1 = training::v1;

constexpr size_t kMaxHost = 253;  // bytes
constexpr int kMaxPort = 65535;
constexpr int kMaxLines = 1000;
constexpr size_t kMaxLine = 8 << 10;  // bytes
constexpr size_t kMaxMessage = 4 << 10;
constexpr absl::string_view kScheme = "Bearer ";

}  // namespace

std::string JobToken(const grpc::ServerContextBase& context) {
  const auto header = context.client_metadata().find("authorization");
  if (header == context.client_metadata().end()) return "";
  const absl::string_view value(header->second.data(), header->second.size());
  return absl::StartsWithIgnoreCase(value, kScheme) ? std::string(value.substr(kScheme.size())) : "";
}

WorkerId IdFromProto(const v1::WorkerIdentity& wire, const std::string& token) {
  return {.job_id = wire.job_id(), .epoch = wire.epoch(), .rank = wire.rank(), .token = token};
}

absl::StatusOr<Arrival> ArrivalFromProto(const v1::JoinGroupRequest& request) {
  if (request.host().empty() || request.host().size() > kMaxHost) {
    return absl::InvalidArgumentError(
        absl::StrCat("host has ", request.host().size(), " bytes; wants 1..", kMaxHost));
  }
  const bool first = request.worker().rank() == 0;
  if (first && (request.store_port() < 1 || request.store_port() > kMaxPort)) {
    return absl::InvalidArgumentError(
        absl::StrCat("store_port is ", request.store_port(), "; wants 1..", kMaxPort, " of rank 0"));
  }
  return Arrival{request.host(), request.store_port()};
}

absl::StatusOr<CheckpointRecord> CheckpointFromProto(const v1::RecordCheckpointRequest& request) {
  if (request.worker().rank() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker.rank is ", request.worker().rank(), "; wants 0 to record a checkpoint"));
  }
  const v1::Checkpoint& wire = request.checkpoint();
  if (!request.has_checkpoint() || wire.step() < 0 || wire.size_bytes() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint is missing or its step (", wire.step(),
                                                   ") or size is negative; wants both"));
  }
  CheckpointRecord checkpoint{.job_id = request.worker().job_id(),
                              .step = wire.step(),
                              .size_bytes = wire.size_bytes(),
                              .loss = wire.loss()};
  if (wire.has_validation()) checkpoint.validation = FromProto(wire.validation());
  return checkpoint;
}

absl::StatusOr<std::vector<LogEntry>> LinesFromProto(const v1::AppendLogsRequest& request) {
  if (request.lines_size() < 1 || request.lines_size() > kMaxLines) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", request.lines_size(), " lines; wants 1..", kMaxLines));
  }
  std::vector<LogEntry> lines;
  for (const v1::LogLine& wire : request.lines()) {
    const absl::Time time =
        absl::FromUnixSeconds(wire.time().seconds()) + absl::Nanoseconds(wire.time().nanos());
    lines.push_back({.time = time,
                     .rank = request.worker().rank(),
                     .epoch = request.worker().epoch(),
                     .text = CutText(wire.text(), kMaxLine)});
  }
  return lines;
}

absl::StatusOr<RankEnd> EndFromProto(const v1::LeaveGroupRequest& request) {
  if (!v1::WorkerOutcome_IsValid(request.outcome()) || request.outcome() == v1::WORKER_OUTCOME_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("outcome is ", static_cast<int>(request.outcome()), "; wants one of the outcomes"));
  }
  return RankEnd{.rank = request.worker().rank(),
                 .outcome = static_cast<Outcome>(request.outcome()),
                 .message = CutText(request.message(), kMaxMessage)};
}

v1::JoinGroupResponse ToProto(const GroupInfo& group) {
  v1::JoinGroupResponse wire;
  wire.mutable_spec()->ParseFromString(group.spec);
  wire.set_store_host(group.store_host);
  wire.set_store_port(group.store_port);
  if (group.resume_step) wire.set_resume_step(*group.resume_step);
  wire.set_mirror(group.mirror);
  *wire.mutable_heartbeat() = DurationProto(group.heartbeat);
  return wire;
}

v1::HeartbeatResponse ToProto(const OrderAt& order) {
  v1::HeartbeatResponse wire;
  wire.set_order(static_cast<v1::WorkerOrder>(order.order));
  wire.set_at_step(order.step);
  return wire;
}

}  // namespace ip2p::training_coordinator
