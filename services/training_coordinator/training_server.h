// The parts of the process, put together: ports, store, launcher, jobs. Thread-safe after Start.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/worker_pool.h"
#include "common/metrics/metrics_server.h"
#include "common/rpc/auth.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/server.h"
#include "services/training_coordinator/config.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/job_mirrors.h"
#include "services/training_coordinator/log_book.h"
#include "services/training_coordinator/promotion.h"
#include "services/training_coordinator/pulse.h"
#include "services/training_coordinator/training_metrics.h"
#include "services/training_coordinator/training_service.h"
#include "services/training_coordinator/worker_service.h"

namespace ip2p::training_coordinator {

// The outside world. Tests put another one in its place.
struct World {
  std::unique_ptr<JobStore> store;
  std::unique_ptr<Launcher> launcher;
  std::unique_ptr<ModelServer> model_server;  // null: none is configured
  std::unique_ptr<JobMirrors> mirrors;        // null: none is configured
  const Clock* clock = Clock::Real();
  absl::Duration pulse = absl::Milliseconds(100);
};

class TrainingServer {
 public:
  // Opens the store, looks for workers that run, opens the ports. `on_fatal` is called when the process must
  // start again. Errors: those of the store, INVALID_ARGUMENT (files of the config), UNAVAILABLE (a port is
  // taken).
  static absl::StatusOr<std::unique_ptr<TrainingServer>> Start(const ServerConfig& config, World world,
                                                               std::function<void()> on_fatal);
  ~TrainingServer();

  // {"event":"ready","port":50055,"worker_port":50056,"metrics_port":9467}
  std::string ReadyLine() const;
  // Health says NOT_SERVING, calls that wait end, open ones finish within drain_seconds. Workers run on.
  void Drain();

  RpcServer& rpc() { return *rpc_; }
  RpcServer& worker_rpc() { return *worker_rpc_; }
  Coordinator& coordinator() { return *coordinator_; }
  TrainingMetrics& metrics() { return metrics_; }

 private:
  TrainingServer(const ServerConfig& config, World world, Authenticator authenticator,
                 std::function<void()> on_fatal);
  absl::Status Open();
  absl::Status Listen();
  void Beat();  // on the pulse's thread

  const ServerConfig config_;
  const World world_;
  const Authenticator authenticator_;
  const Authenticator workers_authenticator_;  // everyone: a worker's token is its job's
  const std::function<void()> on_fatal_;
  bool told_ = false;  // on_fatal_ was called
  const JobFolders folders_;
  TrainingMetrics metrics_;
  LogBooks logs_;
  CallTracker calls_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Promotion> promotion_;
  std::unique_ptr<TrainingService> training_service_;
  std::unique_ptr<WorkerService> worker_service_;
  WorkerPool operators_pool_;
  WorkerPool slow_pool_;
  WorkerPool workers_pool_;
  std::unique_ptr<Pulse> pulse_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<RpcServer> worker_rpc_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

// Over the real store, launcher and edit server, as the config says. Errors as Start, and those of the store.
absl::StatusOr<std::unique_ptr<TrainingServer>> StartRealServer(const ServerConfig& config,
                                                                std::function<void()> on_fatal);

}  // namespace ip2p::training_coordinator
