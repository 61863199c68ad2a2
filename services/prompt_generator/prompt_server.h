// The parts of the process, put together: gRPC port, metrics, loop, providers. Thread-safe after Start.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/worker_pool.h"
#include "common/http/loop_thread.h"
#include "common/metrics/metrics_server.h"
#include "common/prompts/budget.h"
#include "common/rpc/auth.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/server.h"
#include "services/prompt_generator/config.h"
#include "services/prompt_generator/finetune_service.h"
#include "services/prompt_generator/prompt_metrics.h"
#include "services/prompt_generator/prompt_service.h"
#include "services/prompt_generator/run_registry.h"

namespace ip2p::prompt_generator {

class PromptServer {
 public:
  // Errors: INVALID_ARGUMENT, NOT_FOUND (files of the config), UNAVAILABLE (a port is taken).
  static absl::StatusOr<std::unique_ptr<PromptServer>> Start(const ServerConfig& config);
  ~PromptServer();  // gives up what still runs

  // {"event":"ready","port":50053,"metrics_port":9465,"provider":"shapes"}
  std::string ReadyLine() const;
  // Health says NOT_SERVING, runs are ended with what is in flight settled, within drain_seconds.
  void Drain();

  RpcServer& rpc() { return *rpc_; }
  int metrics_port() const { return metrics_server_ == nullptr ? 0 : metrics_server_->port(); }
  PromptMetrics& metrics() { return metrics_; }

 private:
  PromptServer(const ServerConfig& config, Authenticator authenticator);
  absl::Status MakeProviders();
  absl::Status Listen();
  void StopRuns();

  const ServerConfig config_;
  const Authenticator authenticator_;
  CallTracker calls_;
  PromptMetrics metrics_;
  Budget prompts_budget_;
  RunRegistry runs_;
  LoopThread loop_;
  std::unique_ptr<Providers> providers_;
  std::unique_ptr<FinetuneClient> finetunes_;  // the loop's thread
  WorkerPool files_;
  std::unique_ptr<PromptService> prompt_service_;
  std::unique_ptr<FinetuneService> finetune_service_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

}  // namespace ip2p::prompt_generator
