// Settings of the training coordinator, from flags, IP2P_* variables and a JSON file
// (common/base/settings.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/kubernetes_launcher.h"
#include "services/training_coordinator/model_server.h"

namespace ip2p::training_coordinator {

struct ServerConfig {
  std::string listen = "127.0.0.1:50055";
  std::string worker_listen = "127.0.0.1:50056";
  std::string metrics_listen = "127.0.0.1:9467";  // empty: none

  std::string data_dir;
  std::string postgres_dsn;  // empty: SQLite in data_dir
  CoordinatorLimits limits;
  int threads_per_slot = 1;

  std::string mirror;          // s3:// URL below which each job has a copy of its run; empty: none
  std::string worker_address;  // that workers call; empty: worker_listen with the port that was bound
  std::string worker_program;
  std::vector<std::string> worker_env;
  std::optional<KubernetesOptions> kubernetes;  // set: that launcher; else workers are local

  ModelServerOptions edit_server;

  int max_concurrent_streams = 1000;
  double drain_seconds = 10;
  double send_timeout_seconds = 60;
  std::string token_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_client_ca_file;
  std::string log_level = "info";
};

// The config to run with; nothing when --help or --version was asked for, whose text is then printed.
// INVALID_ARGUMENT with all faults, one a line.
absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment);

}  // namespace ip2p::training_coordinator
