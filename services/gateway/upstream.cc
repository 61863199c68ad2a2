#include "services/gateway/upstream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/client_channel.h"
#include "common/storage/read_file.h"
#include "grpcpp/security/credentials.h"

namespace ip2p::gateway {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadOptional(const std::string& path, const char* name) {
  return path.empty() ? absl::StatusOr<std::string>("") : ReadFile(path, name, kMaxPemBytes);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const UpstreamTls& files) {
  if (files.ca_file.empty() && files.cert_file.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions tls;
  IP2P_ASSIGN_OR_RETURN(tls.pem_root_certs, ReadOptional(files.ca_file, "upstream_tls_ca_file"));
  IP2P_ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadOptional(files.cert_file, "upstream_tls_cert_file"));
  IP2P_ASSIGN_OR_RETURN(tls.pem_private_key, ReadOptional(files.key_file, "upstream_tls_key_file"));
  return grpc::SslCredentials(tls);
}

}  // namespace

absl::StatusOr<Upstream> Upstream::Connect(std::string name, const std::string& address,
                                           const UpstreamTls& tls) {
  if (address.empty()) return Upstream(std::move(name), nullptr);
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, Credentials(tls));
  return Upstream(std::move(name), OpenChannel(address, credentials));
}

void Upstream::Prepare(grpc::ClientContext& context, const WebRequest& request,
                       absl::Duration timeout) const {
  if (!request.token.empty()) context.AddMetadata("authorization", "Bearer " + request.token);
  context.AddMetadata("x-request-id", request.request_id);
  context.AddMetadata("traceparent", request.traceparent);
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

absl::Status Upstream::Present() const {
  if (configured()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("this gateway was started without the ", name_));
}

absl::Status Upstream::Said(const grpc::ClientContext& context, const grpc::Status& status) const {
  const absl::Status said = FromGrpc(status);
  // Our services send the request's id back; gRPC's own faults don't, and they tell addresses.
  if (absl::IsUnavailable(said) && context.GetServerInitialMetadata().count("x-request-id") == 0) {
    return absl::UnavailableError(absl::StrCat("the ", name_, " can't be reached"));
  }
  return said;
}

}  // namespace ip2p::gateway
