// Channel credentials and call metadata.
#include "services/cli/channel.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "services/cli/files.h"

namespace ip2p {
namespace {

constexpr size_t kMaxSecretBytes = 1 << 20;
constexpr int kReconnectMs = 2000;    // a server that starts again is found soon
constexpr int kPingEveryMs = 30'000;  // a machine that vanished ends a call that waits for it
constexpr int kPingTimeoutMs = 10'000;
constexpr int kMaxAnswerBytes = 512 << 20;  // 8 lossless pictures of 2048 x 2048 px with room

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
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // however long a stream is silent
  connection.channel = grpc::CreateCustomChannel(flags.address, credentials, arguments);
  return connection;
}

}  // namespace ip2p
