// Settings of the prompt generator, from flags, IP2P_* variables and a JSON file (common/base/settings.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"
#include "common/prompts/prompt_model.h"
#include "common/prompts/providers.h"

namespace ip2p::prompt_generator {

struct ServerConfig {
  std::string listen = "127.0.0.1:50053";
  std::string metrics_listen = "127.0.0.1:9465";  // empty: none

  ProviderConfig providers;
  GenerationParams params;               // what a request leaves out
  int concurrency = 16;                  // of a run, unless it says otherwise
  std::optional<int64_t> max_micro_usd;  // most that a run may spend, and all single prompts together
  std::string data_dir;                  // captions files and journals; empty: neither can be named
  int max_runs = 8;                      // under way at once

  int max_concurrent_streams = 100;
  double drain_seconds = 20;
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

}  // namespace ip2p::prompt_generator
