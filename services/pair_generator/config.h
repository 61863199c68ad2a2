// Settings of the pair generator, from flags, IP2P_* variables and a JSON file (common/base/settings.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"
#include "common/pipeline/pair_sampler.h"

namespace ip2p::pair_generator {

struct ModelSpec {
  std::string name;
  PairModels models;
};

struct ServerConfig {
  std::string listen = "127.0.0.1:50054";
  std::string metrics_listen = "127.0.0.1:9466";  // empty: none

  std::vector<ModelSpec> models;  // at least one; the first is the default
  bool miniature = false;         // none was named: it is the miniature
  PairSamplerOptions sampler;

  int queue_limit = 16;  // requests that may wait for a model
  int client_limit = 0;  // requests under way of one caller; 0: unlimited
  int max_concurrent_streams = 100;
  double drain_seconds = 120;
  double send_timeout_seconds = 60;
  int send_buffer_mb = 64;  // of events that a caller hasn't taken yet

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

}  // namespace ip2p::pair_generator
