// A gRPC server as every process here runs it: one address, TLS when configured, bounded in message size,
// streams and memory, with the standard health service and reflection. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"

namespace ip2p {

// Paths of PEM files. Empty: plain text. With client_ca_file, callers must show a certificate signed by it.
struct TlsOptions {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;
};

struct RpcServerOptions {
  std::string address = "127.0.0.1:0";  // HOST:PORT; port 0 takes a free one
  TlsOptions tls;
  int max_message_bytes = 32 << 20;         // a photo of 20 MB and its request
  int max_concurrent_streams = 100;         // a connection
  int64_t memory_bytes = int64_t{1} << 30;  // for the buffers of all connections
};

class RpcServer {
 public:
  // `services` must outlive the server. Health: "" serves at once, each name in `health_names` as SetServing
  // says. Errors: INVALID_ARGUMENT (key without certificate, unreadable file), UNAVAILABLE (can't listen).
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const RpcServerOptions& options,
                                                          const std::vector<grpc::Service*>& services,
                                                          const std::vector<std::string>& health_names);
  ~RpcServer();  // as Shutdown with no time left

  int port() const { return port_; }
  // What the health service tells for all names but "", which means "alive" and stays.
  void SetServing(bool serving);
  // Refuses new calls, waits for open ones until the deadline, then cancels what is left; returns when all
  // handlers have. Never call it from a handler or a signal handler.
  void Shutdown(absl::Time deadline);
  // A channel inside of this process, past the network. For tests.
  std::shared_ptr<grpc::Channel> InProcessChannel(const grpc::ChannelArguments& arguments);

 private:
  RpcServer(std::unique_ptr<grpc::Server> server, int port, std::vector<std::string> health_names);

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
  const std::vector<std::string> health_names_;
};

}  // namespace ip2p
