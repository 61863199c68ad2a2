#include "services/training_coordinator/model_server.h"

#include <future>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "common/storage/read_file.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "services/training_coordinator/server_addresses.h"

namespace ip2p::training_coordinator {
namespace {

constexpr size_t kMaxSecretBytes = 1 << 20;

absl::StatusOr<std::string> ReadOptional(const std::string& path, const char* name) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> text = ReadFile(path, name, kMaxSecretBytes);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(absl::StrCat(name, " can't be read: ", text.status().message()));
}

// "the edit server at ...: ..."; what can't be reached is UNAVAILABLE already.
absl::Status Said(const ServerAddress& server, const grpc::Status& status) {
  const absl::Status said = FromGrpc(status);
  if (said.ok()) return said;
  return absl::Status(said.code(), absl::StrCat("the edit server at ", server.said, ": ", said.message()));
}

class GrpcModelServer final : public ModelServer {
 public:
  GrpcModelServer(std::string addresses, std::shared_ptr<grpc::ChannelCredentials> credentials,
                  std::string token)
      : addresses_(std::move(addresses)), credentials_(std::move(credentials)), token_(std::move(token)) {}

  absl::StatusOr<std::string> NameOf(const std::string& name, absl::Time deadline) override {
    IP2P_ASSIGN_OR_RETURN(const std::vector<ServerAddress> servers, ResolveServers(addresses_));
    absl::Status said;
    for (const ServerAddress& server : servers) {  // they serve the same models: the first that answers
      grpc::ClientContext context;
      Prepare(context, deadline);
      model::v1::GetModelRequest request;
      request.set_name(name);
      model::v1::GetModelResponse response;
      said = Said(server, Connect(server)->GetModel(&context, request, &response));
      if (said.ok()) return response.model().model().name();
      if (!absl::IsUnavailable(said)) return said;
    }
    return said;
  }

  absl::Status Reload(const std::string& name, const std::string& folder, absl::Time deadline) override {
    IP2P_ASSIGN_OR_RETURN(const std::vector<ServerAddress> servers, ResolveServers(addresses_));
    std::vector<std::future<absl::Status>> answers;
    for (const ServerAddress& server : servers) {
      answers.push_back(std::async(std::launch::async, [&, this] {
        grpc::ClientContext context;
        Prepare(context, deadline);
        model::v1::ReloadModelRequest request;
        request.set_name(name);
        request.set_checkpoint(folder);
        model::v1::ReloadModelResponse response;
        return Said(server, Connect(server)->ReloadModel(&context, request, &response));
      }));
    }
    size_t loaded = 0;
    absl::Status first;
    for (std::future<absl::Status>& answer : answers) {
      const absl::Status said = answer.get();
      loaded += said.ok();
      first.Update(said);
    }
    if (first.ok() || servers.size() == 1) return first;
    return absl::Status(first.code(),
                        absl::StrCat(loaded, " of ", servers.size(),
                                     " edit servers serve it; promote again: ", first.message()));
  }

 private:
  std::unique_ptr<model::v1::ModelService::Stub> Connect(const ServerAddress& server) const {
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, server.host);
    return model::v1::ModelService::NewStub(
        grpc::CreateCustomChannel(server.target, credentials_, arguments));
  }

  void Prepare(grpc::ClientContext& context, absl::Time deadline) const {
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  }

  const std::string addresses_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  const std::string token_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelServer>> ConnectModelServer(const ModelServerOptions& options) {
  if (options.address.empty()) return std::unique_ptr<ModelServer>();
  IP2P_ASSIGN_OR_RETURN(std::string token, ReadOptional(options.token_file, "edit_token_file"));
  absl::StripAsciiWhitespace(&token);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!options.tls_ca_file.empty() || !options.tls_cert_file.empty()) {
    grpc::SslCredentialsOptions tls;
    IP2P_ASSIGN_OR_RETURN(tls.pem_root_certs, ReadOptional(options.tls_ca_file, "edit_tls_ca_file"));
    IP2P_ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadOptional(options.tls_cert_file, "edit_tls_cert_file"));
    IP2P_ASSIGN_OR_RETURN(tls.pem_private_key, ReadOptional(options.tls_key_file, "edit_tls_key_file"));
    credentials = grpc::SslCredentials(tls);
  }
  return std::make_unique<GrpcModelServer>(options.address, std::move(credentials), std::move(token));
}

}  // namespace ip2p::training_coordinator
