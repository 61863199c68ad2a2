// What is set by text becomes values; what fits none is listed.
#include "services/training_coordinator/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/object_store/object_url.h"
#include "common/rpc/server_settings.h"
#include "common/storage/read_file.h"
#include "services/training_coordinator/server_addresses.h"

namespace ip2p::training_coordinator {
namespace {

constexpr size_t kMaxDsnBytes = 4096;
constexpr char kMounted[] =
    "/var/run/secrets/kubernetes.io/serviceaccount/";  // in every pod that has an account

// What has another type in the config.
struct Texts {
  std::string postgres_dsn_file;
  std::string launcher = "local";
  KubernetesOptions kubernetes;
};
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
  settings.Add("send_timeout_seconds", &config.send_timeout_seconds, 0.01, 86400,
               "until a caller that takes nothing of its answer is cut off");
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
  settings.Add("mirror", &config.mirror,
               "s3:// URL: workers keep each run at URL/JOB as well and go on from there, so that they need "
               "share no disk; default: none");
  settings.Add("worker_env", &config.worker_env, "NAME=VALUE for workers, may be given often");
  settings.Add("edit_server", &config.edit_server.address,
               "HOST:PORT of the edit server's admin port, for promotions; its models_dir is models/ in "
               "data_dir; all that a name resolves to are told, and several with commas");
  settings.Add("edit_token_file", &config.edit_server.token_file, "bearer token with its admin role");
  settings.Add("edit_tls_ca_file", &config.edit_server.tls_ca_file, "PEM roots for it; turns TLS on");
  settings.Add("edit_tls_cert_file", &config.edit_server.tls_cert_file, "PEM certificate for mutual TLS");
  settings.Add("edit_tls_key_file", &config.edit_server.tls_key_file, "PEM key of it");
}

void DeclareKubernetes(Settings& settings, Texts& texts) {
  KubernetesOptions& options = texts.kubernetes;
  settings.Add(
      "postgres_dsn_file", &texts.postgres_dsn_file,
      "holds the DSN of a PostgreSQL store (or the variable IP2P_POSTGRES_DSN); default: SQLite in data_dir");
  settings.Add("launcher", &texts.launcher,
               "local (processes of this machine) or kubernetes (an Indexed Job)");
  settings.Add("kubernetes_server", &options.access.server, "https://HOST:PORT; default: this pod's cluster");
  settings.Add("kubernetes_namespace", &options.access.space, "of the workers; default: this pod's");
  settings.Add("kubernetes_token_file", &options.access.token_file, "default: this pod's account");
  settings.Add("kubernetes_ca_file", &options.ca_file, "PEM roots of the API server; default: this pod's");
  settings.Add("worker_image", &options.pods.image, "container image of workers");
  settings.Add("worker_data_claim", &options.pods.data_claim,
               "volume claim of data_dir, mounted at that path");
  settings.Add(
      "worker_scratch", &options.pods.scratch,
      "size of a disk of the node for runs and copies of objects, such as 100Gi, with mirror; default: none, "
      "runs are on the claim");
  settings.Add("worker_store_secret", &options.pods.store_secret,
               "Secret whose file credentials holds workers' keys of the object store");
  settings.Add("worker_service_account", &options.pods.service_account, "of workers' pods");
  settings.Add("worker_memory", &options.pods.memory, "of a worker, as Kubernetes writes it");
  settings.Add("worker_gpu_resource", &options.pods.gpu_resource, "that a worker with a GPU takes one of");
}

std::string ReadWord(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// Never from a flag: it may hold a password.
void ReadDsn(const Texts& texts, const Settings::Environment& environment, ServerConfig& config,
             std::vector<std::string>& faults) {
  if (texts.postgres_dsn_file.empty()) {
    const char* dsn = environment("IP2P_POSTGRES_DSN");
    config.postgres_dsn = dsn == nullptr ? "" : dsn;
    return;
  }
  const absl::StatusOr<std::string> text =
      ReadFile(texts.postgres_dsn_file, "postgres_dsn_file", kMaxDsnBytes);
  if (text.ok()) config.postgres_dsn = std::string(absl::StripAsciiWhitespace(*text));
  if (config.postgres_dsn.empty())
    faults.emplace_back("postgres_dsn_file is empty or can't be read; wants a DSN");
}

void ReadKubernetes(Texts& texts, const Settings::Environment& environment, ServerConfig& config,
                    std::vector<std::string>& faults) {
  if (texts.launcher == "local") return;
  if (texts.launcher != "kubernetes") {
    faults.push_back(absl::StrCat("launcher is \"", texts.launcher, "\"; wants local or kubernetes"));
    return;
  }
  KubernetesOptions& options = texts.kubernetes;
  KubernetesAccess& access = options.access;
  const char* host = environment("KUBERNETES_SERVICE_HOST");
  const char* port = environment("KUBERNETES_SERVICE_PORT");
  if (access.server.empty() && host != nullptr && port != nullptr) {
    const bool is_ipv6 = std::string(host).find(':') != std::string::npos;
    access.server = absl::StrCat("https://", is_ipv6 ? "[" : "", host, is_ipv6 ? "]:" : ":", port);
    if (access.token_file.empty()) access.token_file = absl::StrCat(kMounted, "token");
    if (options.ca_file.empty()) options.ca_file = absl::StrCat(kMounted, "ca.crt");
    if (access.space.empty()) access.space = ReadWord(absl::StrCat(kMounted, "namespace"));
  }
  const std::pair<const char*, const std::string*> needed[] = {
      {"kubernetes_server", &access.server},
      {"kubernetes_namespace", &access.space},
      {"worker_image", &options.pods.image},
      {"worker_data_claim", &options.pods.data_claim},
      {"worker_address", &config.worker_address}};
  for (const auto& [name, value] : needed) {
    if (value->empty())
      faults.push_back(absl::StrCat(name, " is missing; wants one with launcher kubernetes"));
  }
  if (!options.pods.scratch.empty() && config.mirror.empty())
    faults.emplace_back(
        "worker_scratch is set and mirror is not; wants both, or runs would be lost with their node");
  options.pods.data_dir = config.data_dir;
  options.pods.grace_seconds = static_cast<int>(absl::ToInt64Seconds(config.limits.stop_grace));
  for (const std::string& variable : config.worker_env) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(variable, absl::MaxSplits('=', 1));
    options.pods.environment[parts.first] = parts.second;
  }
  config.kubernetes = std::move(options);
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
  if (!config.mirror.empty()) {
    if (const absl::Status url = ParseObjectUrl(config.mirror).status(); !url.ok())
      faults.push_back(absl::StrCat("mirror: ", url.message()));
  }
  if (config.worker_program.empty()) config.worker_program = BesideThisProgram("ip2p_training_worker");
  if (const std::string& servers = config.edit_server.address; !servers.empty()) {
    const absl::Status known = CheckServers(servers);
    if (!known.ok()) faults.push_back(absl::StrCat("edit_server: ", known.message()));
  }
  CheckTlsFiles(config.edit_server.tls_cert_file, config.edit_server.tls_key_file, "", faults);
}

}  // namespace

absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  ServerConfig config;
  Numbers numbers;
  Texts texts;
  Settings settings(
      "ip2p_training_coordinator: starts, watches, stops and resumes training over gRPC "
      "(ip2p.training.v1.TrainingService).");
  DeclareServer(settings, config);
  DeclareJobs(settings, config, numbers);
  DeclareWorkers(settings, config);
  DeclareKubernetes(settings, texts);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_training_coordinator " IP2P_VERSION, faults)) {
    return std::optional<ServerConfig>();
  }
  ReadNumbers(numbers, config);
  Check(config, faults);
  ReadDsn(texts, environment, config, faults);
  ReadKubernetes(texts, environment, config, faults);
  ReadLogLevel(config.log_level, faults);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  CheckTlsFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<ServerConfig>(std::move(config));
}

}  // namespace ip2p::training_coordinator
