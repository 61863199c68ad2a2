// Settings of a training worker, from flags, IP2P_* variables and a JSON file (common/base/settings.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/settings.h"

namespace ip2p::training_worker {

struct WorkerConfig {
  // Alone: a job from a file. Its paths are taken as they stand.
  std::string spec_file;  // JobSpec as JSON
  std::string run_dir;
  std::string mirror;  // s3:// URL of the run's copy; empty: none
  int max_steps = 0;   // in the place of the spec's; 0: the spec's
  std::string store_host = "127.0.0.1";
  int store_port = 0;

  // For a coordinator: a rank of a launch. Paths of the spec lie in data_dir, the run in data_dir/jobs/JOB,
  // or in run_dir/JOB where the disk is this machine's own and the job has a mirror.
  std::string coordinator;  // HOST:PORT
  std::string job;
  int epoch = 0;
  std::string data_dir;
  std::string token;  // of the job; from token_file or IP2P_JOB_TOKEN
  std::string tls_ca_file;
  std::string host = "127.0.0.1";  // that the other ranks reach this one at
  double join_seconds = 600;

  int rank = 0;
  int world_size = 1;
  std::string device = "cpu";
  int threads = 0;
  int loader_threads = 2;
  double peer_seconds = 1800;
  std::string clip;
  std::string metrics_listen;  // empty: none

  bool attached() const { return !coordinator.empty(); }
};

// The config to run with; nothing when --help or --version was asked for. INVALID_ARGUMENT with all faults,
// one a line.
absl::StatusOr<std::optional<WorkerConfig>> LoadWorkerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment);

}  // namespace ip2p::training_worker
