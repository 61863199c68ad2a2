// grpc::ServerBuilder with every bound set.
#include "common/rpc/server.h"

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace ip2p {
namespace {

constexpr int kPingEveryMs = 30'000;  // finds clients that vanished without a word
constexpr int kPingTimeoutMs = 10'000;
constexpr int kClientPingMinMs = 5'000;  // pings from clients closer together than this are abuse
constexpr int kMaxThreads = 16;          // of synchronous services (reflection): each open call holds one

absl::StatusOr<std::string> ReadPem(const char* field, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is \"", path, "\"; wants a readable PEM file"));
  }
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const TlsOptions& tls) {
  if (tls.cert_file.empty() && tls.key_file.empty() && tls.client_ca_file.empty()) {
    return grpc::InsecureServerCredentials();
  }
  if (tls.cert_file.empty() || tls.key_file.empty()) {
    return absl::InvalidArgumentError("TLS is half configured; wants both tls_cert_file and tls_key_file");
  }
  grpc::SslServerCredentialsOptions options(tls.client_ca_file.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  IP2P_ASSIGN_OR_RETURN(pair.private_key, ReadPem("tls_key_file", tls.key_file));
  IP2P_ASSIGN_OR_RETURN(pair.cert_chain, ReadPem("tls_cert_file", tls.cert_file));
  options.pem_key_cert_pairs.push_back(std::move(pair));
  if (!tls.client_ca_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem("tls_client_ca_file", tls.client_ca_file));
  }
  return grpc::SslServerCredentials(options);
}

}  // namespace

RpcServer::RpcServer(std::unique_ptr<grpc::Server> server, int port, std::vector<std::string> health_names)
    : server_(std::move(server)), port_(port), health_names_(std::move(health_names)) {}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const RpcServerOptions& options,
                                                            const std::vector<grpc::Service*>& services,
                                                            const std::vector<std::string>& health_names) {
  static const bool once = [] {  // both are switches of the process
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)once;

  IP2P_ASSIGN_OR_RETURN(auto credentials, Credentials(options.tls));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, credentials, &port);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(-1);  // ours to decide; clients set their own limit
  builder.SetResourceQuota(grpc::ResourceQuota("server")
                               .Resize(static_cast<size_t>(options.memory_bytes))
                               .SetMaxThreads(kMaxThreads));
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error, not half of the calls
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPingMinMs);
  for (grpc::Service* service : services) builder.RegisterService(service);

  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "can't listen on ", options.address, "; wants a free HOST:PORT, and a matching certificate and key"));
  }
  std::unique_ptr<RpcServer> result(new RpcServer(std::move(server), port, health_names));
  result->SetServing(false);
  return result;
}

RpcServer::~RpcServer() { Shutdown(absl::Now()); }

void RpcServer::SetServing(bool serving) {
  for (const std::string& name : health_names_) {
    server_->GetHealthCheckService()->SetServingStatus(name, serving);
  }
}

void RpcServer::Shutdown(absl::Time deadline) {
  server_->Shutdown(absl::ToChronoTime(deadline));
  server_->Wait();
}

std::shared_ptr<grpc::Channel> RpcServer::InProcessChannel(const grpc::ChannelArguments& arguments) {
  return server_->InProcessChannel(arguments);
}

}  // namespace ip2p
