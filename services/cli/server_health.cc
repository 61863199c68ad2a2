// HealthCheckRequest is a string and HealthCheckResponse an enum, each numbered 1. Debian ships no .proto of
// them, and the well-known wrappers are the same bytes.
#include "services/cli/server_health.h"

#include <google/protobuf/wrappers.pb.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/proto_utils.h"  // how messages are written

namespace ip2p {

const char* ServingStatusName(ServingStatus status) {
  switch (status) {
    case ServingStatus::kServing:
      return "SERVING";
    case ServingStatus::kNotServing:
      return "NOT_SERVING";
    case ServingStatus::kServiceUnknown:
      return "SERVICE_UNKNOWN";
    default:
      return "UNKNOWN";
  }
}

absl::StatusOr<ServingStatus> CheckHealth(const Connection& connection, const std::string& service,
                                          absl::Duration timeout) {
  grpc::ClientContext context;
  connection.Prepare(context, timeout);
  google::protobuf::StringValue question;
  question.set_value(service);
  google::protobuf::Int32Value answer;
  grpc::TemplatedGenericStub<google::protobuf::StringValue, google::protobuf::Int32Value> stub(
      connection.channel);
  grpc::Status told;
  absl::Notification done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &question, &answer,
                 [&told, &done](const grpc::Status& status) {
                   told = status;
                   done.Notify();
                 });
  done.WaitForNotification();
  if (told.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::UnavailableError(
        absl::StrCat("the server says nothing within ", absl::FormatDuration(timeout)));
  }
  IP2P_RETURN_IF_ERROR(FromGrpc(told));
  return static_cast<ServingStatus>(answer.value());
}

}  // namespace ip2p
