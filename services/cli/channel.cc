// Channel credentials and call metadata.
#include "services/cli/channel.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/client_channel.h"
#include "grpcpp/security/credentials.h"
#include "services/cli/files.h"

namespace ip2p {
namespace {

constexpr size_t kMaxSecretBytes = 1 << 20;

absl::StatusOr<std::string> ReadOptional(const std::string& path) {
  return path.empty() ? absl::StatusOr<std::string>("") : ReadWholeFile(path, kMaxSecretBytes);
}

absl::StatusOr<std::string> ReadToken(const ServerFlags& flags) {
  std::string token;
  if (!flags.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(token, ReadWholeFile(flags.token_file, kMaxSecretBytes));
  } else if (const char* variable = std::getenv("IP2P_TOKEN")) {
    token = variable;
  }
  absl::StripAsciiWhitespace(&token);
  for (const char c : token) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError("token holds a space or an unprintable character; wants one word");
    }
  }
  return token;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const ServerFlags& flags) {
  if (flags.tls_cert.empty() != flags.tls_key.empty()) {
    return absl::InvalidArgumentError("one of --tls-cert and --tls-key is given; wants both or none");
  }
  if (!flags.tls && flags.tls_ca.empty() && flags.tls_cert.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  IP2P_ASSIGN_OR_RETURN(options.pem_root_certs, ReadOptional(flags.tls_ca));
  IP2P_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadOptional(flags.tls_cert));
  IP2P_ASSIGN_OR_RETURN(options.pem_private_key, ReadOptional(flags.tls_key));
  return grpc::SslCredentials(options);
}

}  // namespace

void AddServerFlags(CLI::App& app, ServerFlags& flags) {
  app.add_option("--server", flags.address, "Server, HOST:PORT")->group("Server");
  app.add_option("--token-file", flags.token_file,
                 "File with the bearer token (else the variable IP2P_TOKEN)")
      ->group("Server");
  app.add_flag("--tls", flags.tls, "Use TLS with the system's certificates")->group("Server");
  app.add_option("--tls-ca", flags.tls_ca, "Use TLS; PEM file of the authorities to trust")->group("Server");
  app.add_option("--tls-cert", flags.tls_cert, "PEM file of our own certificate, for mutual TLS")
      ->group("Server");
  app.add_option("--tls-key", flags.tls_key, "PEM file of its private key")->group("Server");
}

void Connection::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  if (timeout != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

absl::StatusOr<Connection> Connect(const ServerFlags& flags) {
  if (flags.address.empty())
    return absl::InvalidArgumentError("no server is named; wants --server HOST:PORT");
  Connection connection;
  IP2P_ASSIGN_OR_RETURN(connection.token, ReadToken(flags));
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, Credentials(flags));
  connection.channel = OpenChannel(flags.address, credentials);
  return connection;
}

}  // namespace ip2p
