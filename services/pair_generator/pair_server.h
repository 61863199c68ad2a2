// The parts of the process, put together: gRPC port, metrics, models, queue. Thread-safe after Start.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics/metrics_server.h"
#include "common/rpc/auth.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/server.h"
#include "services/pair_generator/config.h"
#include "services/pair_generator/pair_metrics.h"
#include "services/pair_generator/pair_queue.h"
#include "services/pair_generator/pair_service.h"

namespace ip2p::pair_generator {

class PairServer {
 public:
  // How a model of a spec is loaded.
  using Loader = std::function<absl::StatusOr<std::unique_ptr<PairSampler>>(const ModelSpec&)>;

  // Opens the ports at once, so that probes see a living process; requests are UNAVAILABLE until LoadModels
  // is done. Errors: INVALID_ARGUMENT (files of the config), UNAVAILABLE (a port is taken).
  static absl::StatusOr<std::unique_ptr<PairServer>> Start(const ServerConfig& config, Loader loader);
  ~PairServer();  // gives up what still runs

  // Loads all models, then tells health that the service is ready.
  absl::Status LoadModels();
  // {"event":"ready","port":50054,"metrics_port":9466}
  std::string ReadyLine() const;
  // Health says NOT_SERVING, new requests are refused, admitted ones finish and are delivered, within
  // drain_seconds; then the rest is ended with UNAVAILABLE.
  void Drain();

  RpcServer& rpc() { return *rpc_; }
  int metrics_port() const { return metrics_server_ == nullptr ? 0 : metrics_server_->port(); }
  const PairQueue& queue() const { return queue_; }
  const CallTracker& calls() const { return calls_; }
  PairMetrics& metrics() { return metrics_; }

 private:
  PairServer(const ServerConfig& config, Authenticator authenticator, Loader loader);
  absl::Status Listen();

  const ServerConfig config_;
  const Authenticator authenticator_;
  const Loader loader_;
  CallTracker calls_;
  PairMetrics metrics_;
  PairQueue queue_;
  PairService service_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

// The real models, as the config says.
PairServer::Loader TorchSamplers(const ServerConfig& config);

}  // namespace ip2p::pair_generator
