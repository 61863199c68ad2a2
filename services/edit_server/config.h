// Settings of the edit server, from flags, IP2P_* variables and a JSON file (common/base/settings.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"
#include "common/diffusion/kinds.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

struct ServerConfig {
  std::string listen = "127.0.0.1:50051";
  std::string admin_listen = "127.0.0.1:50052";
  std::string metrics_listen = "127.0.0.1:9464";  // empty: none

  std::vector<ModelSpec> models;  // at least one; the first is the default
  bool miniature = false;         // none was named: it is the miniature
  std::string models_dir;
  std::string device = "cpu";
  Precision precision = Precision::kAuto;
  int threads = 0;  // 0: LibTorch's default
  int max_batch = 4;

  int queue_limit = 16;
  int client_limit = 0;  // 0: unlimited
  int remember_mb = 64;
  int codec_threads = 2;
  int max_concurrent_streams = 100;
  double drain_seconds = 120;
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

}  // namespace ip2p::edit_server
