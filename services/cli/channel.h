// How to reach a server: its address, TLS, and the token that says who calls.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace ip2p {

struct ServerFlags {
  std::string address;     // HOST:PORT
  std::string token_file;  // the token is the file's text; IP2P_TOKEN serves when there is no file
  bool tls = false;        // with the system's certificates, unless tls_ca
  std::string tls_ca;      // PEM files
  std::string tls_cert;
  std::string tls_key;
};

// --server and what belongs to it.
void AddServerFlags(CLI::App& app, ServerFlags& flags);

struct Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::string token;  // empty: none

  // Adds the token and the deadline to a call.
  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const;
};

// Reads the files; connects with the first call. Errors: INVALID_ARGUMENT, NOT_FOUND.
absl::StatusOr<Connection> Connect(const ServerFlags& flags);

}  // namespace ip2p
