// What is set by text becomes values; what fits none is listed.
#include "services/training_coordinator/config.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/server_settings.h"

namespace ip2p::training_coordinator {
namespace {

// What has another type in the config.
struct Numbers {
  double heartbeat_seconds = 1;
  double join_timeout_seconds = 300;
  double stop_grace_seconds = 5;
  double reconnect_grace_seconds = 30;
  int threads_per_slot = 0;
};

void DeclareServer(Settings& settings, ServerConfig& config) {
  settings.Add("listen", &config.listen, "HOST:PORT for operators; port 0 takes a free one");
  settings.Add("worker_listen", &config.worker_listen, "HOST:PORT for workers, inside the cluster only");
  settings.Add("metrics_listen", &config.metrics_listen, "HOST:PORT of /metrics; \"off\": none");
  settings.Add("max_concurrent_streams", &config.max_concurrent_streams, 1, 100000,
               "calls of one connection");
  settings.Add("drain_seconds", &config.drain_seconds, 0, 86400, "time for open calls after SIGTERM");
  settings.Add("token_file", &config.token_file, "JSON file of bearer tokens; operators must send one");
  settings.Add("tls_cert_file", &config.tls_cert_file, "PEM certificate chain; turns TLS on for operators");
  settings.Add("tls_key_file", &config.tls_key_file, "PEM private key");
  settings.Add("tls_client_ca_file", &config.tls_client_ca_file,
               "PEM roots; operators must show a certificate");
  settings.Add("log_level", &config.log_level, "debug, info, warning or error");
}

void DeclareJobs(Settings& settings, ServerConfig& config, Numbers& numbers) {
  settings.Add("data_dir", &config.data_dir, "folder of datasets, models and jobs; required");
  settings.Add("cpu_slots", &config.limits.slots.cpu, 0, 100000, "workers without a GPU at a time");
  settings.Add("gpu_slots", &config.limits.slots.gpu, 0, 100000, "workers with a GPU at a time");
  settings.Add("threads_per_slot", &numbers.threads_per_slot, 0, 256,
               "CPU threads of a worker unless its job says; 0: the slot's share of this machine");
  settings.Add("queue_limit", &config.limits.queue_limit, 1, 1000000, "jobs that may wait for slots");
  settings.Add("heartbeat_seconds", &numbers.heartbeat_seconds, 0.05, 60,
               "between two signs of life of a worker");
  settings.Add("lost_after", &config.limits.group.lost_after, 1, 100,
               "missed heartbeats after which a worker is lost");
  settings.Add("join_timeout_seconds", &numbers.join_timeout_seconds, 1, 86400,
               "from a launch until every worker has joined");
  settings.Add("stop_grace_seconds", &numbers.stop_grace_seconds, 0, 3600,
               "from asking a worker to end until it is ended");
  settings.Add("reconnect_grace_seconds", &numbers.reconnect_grace_seconds, 0, 3600,
               "for workers to be heard again after the coordinator's restart");
}

void DeclareWorkers(Settings& settings, ServerConfig& config) {
  settings.Add("worker_program", &config.worker_program,
               "of local workers; default: ip2p_training_worker beside this program");
  settings.Add("worker_address", &config.worker_address,
               "HOST:PORT that workers call; default: worker_listen");
  settings.Add("worker_env", &config.worker_env, "NAME=VALUE for workers, may be given often");
  settings.Add(
      "edit_server", &config.edit_server.address,
      "HOST:PORT of the edit server's admin port, for promotions; its models_dir is models/ in data_dir");
  settings.Add("edit_token_file", &config.edit_server.token_file, "bearer token with its admin role");
  settings.Add("edit_tls_ca_file", &config.edit_server.tls_ca_file, "PEM roots for it; turns TLS on");
  settings.Add("edit_tls_cert_file", &config.edit_server.tls_cert_file, "PEM certificate for mutual TLS");
  settings.Add("edit_tls_key_file", &config.edit_server.tls_key_file, "PEM key of it");
}

void ReadNumbers(const Numbers& numbers, ServerConfig& config) {
  CoordinatorLimits& limits = config.limits;
  limits.group.heartbeat = absl::Seconds(numbers.heartbeat_seconds);
  limits.group.join_timeout = absl::Seconds(numbers.join_timeout_seconds);
  limits.stop_grace = absl::Seconds(numbers.stop_grace_seconds);
  limits.reconnect_grace = absl::Seconds(numbers.reconnect_grace_seconds);
  const int slots = std::max(1, limits.slots.cpu + limits.slots.gpu);
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  config.threads_per_slot =
      numbers.threads_per_slot > 0 ? numbers.threads_per_slot : std::clamp(cores / slots, 1, 256);
}

std::string BesideThisProgram(const char* name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string(name) : (self.parent_path() / name).string();
}

void Check(ServerConfig& config, std::vector<std::string>& faults) {
  if (config.data_dir.empty()) faults.emplace_back("data_dir is missing; wants a folder");
  if (config.limits.slots.cpu + config.limits.slots.gpu == 0) {
    faults.emplace_back("cpu_slots and gpu_slots are 0; wants at least one slot");
  }
  for (const std::string& variable : config.worker_env) {
    const size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos) {
      faults.emplace_back("worker_env holds a text without a name; wants NAME=VALUE");
    }
  }
  if (config.worker_program.empty()) config.worker_program = BesideThisProgram("ip2p_training_worker");
  CheckTlsFiles(config.edit_server.tls_cert_file, config.edit_server.tls_key_file, "", faults);
}

}  // namespace

absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  ServerConfig config;
  Numbers numbers;
  Settings settings(
      "ip2p_training_coordinator: starts, watches, stops and resumes training over gRPC "
      "(ip2p.training.v1.TrainingService).");
  DeclareServer(settings, config);
  DeclareJobs(settings, config, numbers);
  DeclareWorkers(settings, config);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_training_coordinator " IP2P_VERSION, faults)) {
    return std::optional<ServerConfig>();
  }
  ReadNumbers(numbers, config);
  Check(config, faults);
  ReadLogLevel(config.log_level, faults);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  CheckTlsFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<ServerConfig>(std::move(config));
}

}  // namespace ip2p::training_coordinator
