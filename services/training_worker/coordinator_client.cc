// See coordinator_client.h.
#include "services/training_worker/coordinator_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/duration_proto.h"
#include "common/rpc/status.h"
#include "common/storage/read_file.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "services/training_worker/worker_proto.h"

namespace ip2p::training_worker {
namespace {

namespace v1 = training::v1;

constexpr absl::Duration kCall = absl::Seconds(10);      // of a call that the coordinator answers at once
constexpr absl::Duration kPause = absl::Seconds(1);      // between two tries
constexpr absl::Duration kJoinCall = absl::Seconds(60);  // of one try to join
constexpr absl::Duration kTelling = absl::Seconds(60);   // of all tries to tell something
constexpr int kReconnectMs = 2000;                       // a coordinator that starts again is found soon
constexpr size_t kMaxMessage = 4096;
constexpr size_t kMaxRoots = 1 << 20;

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

// `call` until it succeeds, fails for good, or the time is over.
template <typename Call>
absl::Status Retry(absl::Duration time, Call call) {
  const absl::Time deadline = absl::Now() + time;
  while (true) {
    const absl::Status status = call();
    if (!MayPass(status) || absl::Now() + kPause > deadline) return status;
    absl::SleepFor(kPause);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorClient>> CoordinatorClient::Create(const WorkerConfig& config) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!config.tls_ca_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(const std::string roots, ReadFile(config.tls_ca_file, "tls_ca_file", kMaxRoots));
    credentials = grpc::SslCredentials({.pem_root_certs = roots});
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  return std::make_unique<CoordinatorClient>(
      config, grpc::CreateCustomChannel(config.coordinator, credentials, arguments));
}

CoordinatorClient::CoordinatorClient(const WorkerConfig& config,
                                     const std::shared_ptr<grpc::Channel>& channel)
    : config_(config), stub_(v1::WorkerService::NewStub(channel)) {
  identity_.set_job_id(config.job);
  identity_.set_epoch(config.epoch);
  identity_.set_rank(config.rank);
}

void CoordinatorClient::Prepare(grpc::ClientContext& context, absl::Duration time) const {
  context.set_deadline(absl::ToChronoTime(absl::Now() + time));
  if (!config_.token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", config_.token));
}

absl::StatusOr<Group> CoordinatorClient::Join(int store_port) {
  v1::JoinGroupRequest request;
  *request.mutable_worker() = identity_;
  request.set_host(config_.host);
  request.set_store_port(store_port);
  v1::JoinGroupResponse response;
  IP2P_RETURN_IF_ERROR(Retry(absl::Seconds(config_.join_seconds), [&] {
    grpc::ClientContext context;
    Prepare(context, kJoinCall);
    return FromGrpc(stub_->JoinGroup(&context, request, &response));
  }));
  Group group{.spec = response.spec(),
              .store_host = response.store_host(),
              .store_port = response.store_port(),
              .mirror = response.mirror(),
              .heartbeat = ip2p::FromProto(response.heartbeat())};
  if (response.has_resume_step()) group.resume_step = response.resume_step();
  group.heartbeat = std::clamp(group.heartbeat, absl::Milliseconds(50), absl::Seconds(60));
  return group;
}

absl::StatusOr<RunOrder> CoordinatorClient::Heartbeat(const v1::TrainMetrics* metrics) {
  v1::HeartbeatRequest request;
  *request.mutable_worker() = identity_;
  if (metrics != nullptr) *request.mutable_metrics() = *metrics;
  v1::HeartbeatResponse response;
  grpc::ClientContext context;
  Prepare(context, kCall);
  IP2P_RETURN_IF_ERROR(FromGrpc(stub_->Heartbeat(&context, request, &response)));
  return OrderFromProto(response);
}

absl::Status CoordinatorClient::RecordCheckpoint(const v1::Checkpoint& checkpoint) {
  v1::RecordCheckpointRequest request;
  *request.mutable_worker() = identity_;
  *request.mutable_checkpoint() = checkpoint;
  return Retry(kTelling, [&] {
    grpc::ClientContext context;
    Prepare(context, kCall);
    v1::RecordCheckpointResponse response;
    return FromGrpc(stub_->RecordCheckpoint(&context, request, &response));
  });
}

absl::Status CoordinatorClient::AppendLogs(const std::vector<LogLine>& lines) {
  v1::AppendLogsRequest request;
  *request.mutable_worker() = identity_;
  for (const LogLine& line : lines) {
    v1::LogLine& wire = *request.add_lines();
    *wire.mutable_time() = TimestampProto(line.time);
    wire.set_text(line.text);
  }
  grpc::ClientContext context;
  Prepare(context, kCall);
  v1::AppendLogsResponse response;
  return FromGrpc(stub_->AppendLogs(&context, request, &response));
}

absl::Status CoordinatorClient::Leave(v1::WorkerOutcome outcome, const std::string& message) {
  v1::LeaveGroupRequest request;
  *request.mutable_worker() = identity_;
  request.set_outcome(outcome);
  request.set_message(message.substr(0, kMaxMessage));
  return Retry(kTelling, [&] {
    grpc::ClientContext context;
    Prepare(context, kCall);
    v1::LeaveGroupResponse response;
    return FromGrpc(stub_->LeaveGroup(&context, request, &response));
  });
}

}  // namespace ip2p::training_worker
