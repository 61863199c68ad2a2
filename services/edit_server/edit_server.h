// The parts of the process, put together: two gRPC ports, metrics, models, queue. Thread-safe after Start.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics/metrics_server.h"
#include "common/rpc/auth.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/server.h"
#include "services/edit_server/config.h"
#include "services/edit_server/edit_metrics.h"
#include "services/edit_server/edit_queue.h"
#include "services/edit_server/edit_service.h"
#include "services/edit_server/model_host.h"
#include "services/edit_server/model_service.h"

namespace ip2p::edit_server {

class EditServer {
 public:
  // How a model of a spec is loaded; the observer must hear of its work.
  using EngineFactory =
      std::function<absl::StatusOr<std::unique_ptr<EditEngine>>(const ModelSpec&, EngineObserver*)>;

  // Opens the ports at once, so that probes see a living process; edits are UNAVAILABLE until LoadModels is
  // done. Errors: INVALID_ARGUMENT (files of the config), UNAVAILABLE (a port is taken).
  static absl::StatusOr<std::unique_ptr<EditServer>> Start(const ServerConfig& config, EngineFactory factory);
  ~EditServer();  // gives up what still runs

  // Loads all models, then tells health that the service is ready.
  absl::Status LoadModels();
  // {"event":"ready","port":50051,"admin_port":50052,"metrics_port":9464}
  std::string ReadyLine() const;
  // Health says NOT_SERVING, new edits are refused, admitted ones finish and are delivered, within
  // drain_seconds.
  void Drain();

  RpcServer& rpc() { return *rpc_; }
  RpcServer& admin() { return *admin_; }
  int metrics_port() const { return metrics_server_ == nullptr ? 0 : metrics_server_->port(); }
  const EditQueue& queue() const { return queue_; }
  const CallTracker& calls() const { return calls_; }
  EditMetrics& metrics() { return metrics_; }

 private:
  EditServer(const ServerConfig& config, Authenticator authenticator, EngineFactory factory);
  absl::Status Listen();

  const ServerConfig config_;
  const Authenticator authenticator_;
  CallTracker calls_;
  EditMetrics metrics_;
  ModelHost models_;
  EditQueue queue_;
  EditService edit_service_;
  ModelService model_service_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<RpcServer> admin_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

// The real models: opens the checkpoint and loads it into an engine, as the config says.
EditServer::EngineFactory TorchEngines(const ServerConfig& config);

}  // namespace ip2p::edit_server
