// Settings of the gateway, from flags, IP2P_* variables and a JSON file (common/base/settings.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"
#include "services/gateway/web_server.h"

namespace ip2p::gateway {

struct GatewayConfig {
  std::string listen = "127.0.0.1:8080";
  std::string metrics_listen = "127.0.0.1:9468";  // empty: none

  // HOST:PORT; empty: that part of the pages says that it is not there.
  std::string edit_server = "127.0.0.1:50051";
  std::string prompt_server;
  std::string pair_server;
  std::string training_server;
  // HOST:PORT of the services' /metrics, for the overview; empty: no figures.
  std::string edit_metrics;
  std::string prompt_metrics;
  std::string pair_metrics;
  std::string training_metrics;
  std::string upstream_tls_ca_file;
  std::string upstream_tls_cert_file;
  std::string upstream_tls_key_file;

  std::string datasets_dir;       // its folders are the datasets, may be s3://BUCKET/PREFIX; empty: none
  std::string training_data_dir;  // the coordinator's; empty: no curves and validation images
  int dataset_samples = 5'000'000;
  int dataset_copy_gb = 50;

  std::string token_file;
  bool secure_cookie = false;
  std::vector<std::string> allowed_hosts;

  int max_body_mb = 28;  // a photo of 20 MB in base64
  int max_streams = 48;
  double edit_timeout_seconds = 3600;
  double drain_seconds = 120;
  WebServerOptions web;
  std::string log_level = "info";
};

// The config to run with; nothing when --help or --version was asked for, whose text is then printed.
// INVALID_ARGUMENT with all faults, one a line.
absl::StatusOr<std::optional<GatewayConfig>> LoadGatewayConfig(const std::vector<std::string>& args,
                                                               const Settings::Environment& environment);

}  // namespace ip2p::gateway
