// HealthCheckRequest {string service = 1}; HealthCheckResponse {ServingStatus status = 1}, SERVING = 1.
#include "services/gateway/health.h"

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/status_macros.h"
#include "common/rpc/wire.h"
#include "grpcpp/generic/generic_stub.h"

namespace ip2p::gateway {
namespace {

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

absl::Status AskHealth(const Upstream& upstream, const WebRequest& request, const std::string& service,
                       absl::Duration timeout) {
  IP2P_RETURN_IF_ERROR(upstream.Present());
  grpc::ClientContext context;
  upstream.Prepare(context, request, timeout);
  const grpc::Slice slice(internal::BytesField(1, service));
  const grpc::ByteBuffer question(&slice, 1);
  grpc::ByteBuffer answer;
  grpc::Status status;
  absl::Notification done;
  grpc::GenericStub stub(upstream.channel());
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &question, &answer,
                 [&](const grpc::Status& told) {
                   status = told;
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("the ", upstream.name(), " can't be reached"));
  if (BytesOf(answer) == internal::VarintField(1, 1)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the ", upstream.name(), " is not serving"));
}

}  // namespace ip2p::gateway
