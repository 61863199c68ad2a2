// Members are destroyed in reverse: ports first, then the threads that answer calls, then what they use.
#include "services/training_coordinator/training_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/kubernetes_launcher.h"
#include "services/training_coordinator/local_launcher.h"
#include "services/training_coordinator/postgres_store.h"
#include "services/training_coordinator/sqlite_store.h"

namespace ip2p::training_coordinator {
namespace {

constexpr absl::Duration kStragglers =
    absl::Seconds(1);                       // health watches and reflection streams never end themselves
constexpr int kMaxRequestBytes = 16 << 20;  // 1000 log lines of 8 KiB
constexpr int kPoolThreads = 2;             // each; what they do is short, or gigabytes

double RandomShare() { return RandomUint32() / 4294967296.0; }

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingServer>> StartRealServer(const ServerConfig& config,
                                                                std::function<void()> on_fatal) {
  const JobFolders folders(config.data_dir);
  IP2P_RETURN_IF_ERROR(folders.Prepare());
  World world;
  if (config.postgres_dsn.empty()) {
    IP2P_ASSIGN_OR_RETURN(world.store, SqliteStore::Open(folders.StoreFile()));
  } else {
    IP2P_ASSIGN_OR_RETURN(world.store, PostgresStore::Open(config.postgres_dsn));
  }
  if (config.kubernetes) {
    world.launcher = std::make_unique<KubernetesLauncher>(*config.kubernetes);
  } else {
    world.launcher = std::make_unique<LocalLauncher>(
        LocalLauncherOptions{.program = config.worker_program, .environment = config.worker_env},
        config.data_dir);
  }
  IP2P_ASSIGN_OR_RETURN(world.model_server, ConnectModelServer(config.edit_server));
  if (!config.mirror.empty()) {
    IP2P_ASSIGN_OR_RETURN(ObjectUrl url, ParseObjectUrl(config.mirror));
    IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
    world.mirrors = std::make_unique<JobMirrors>(store, std::move(url));
  }
  return TrainingServer::Start(config, std::move(world), std::move(on_fatal));
}

TrainingServer::TrainingServer(const ServerConfig& config, World world, Authenticator authenticator,
                               std::function<void()> on_fatal)
    : config_(config),
      world_(std::move(world)),
      authenticator_(std::move(authenticator)),
      on_fatal_(std::move(on_fatal)),
      folders_(config.data_dir),
      operators_pool_(kPoolThreads),
      slow_pool_(kPoolThreads),
      workers_pool_(kPoolThreads) {}

absl::StatusOr<std::unique_ptr<TrainingServer>> TrainingServer::Start(const ServerConfig& config, World world,
                                                                      std::function<void()> on_fatal) {
  Authenticator authenticator;
  if (!config.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file));
  }
  std::unique_ptr<TrainingServer> server(
      new TrainingServer(config, std::move(world), std::move(authenticator), std::move(on_fatal)));
  IP2P_RETURN_IF_ERROR(server->Open());
  IP2P_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status TrainingServer::Open() {
  IP2P_RETURN_IF_ERROR(folders_.Prepare());
  IP2P_ASSIGN_OR_RETURN(coordinator_, Coordinator::Open(config_.limits, {.store = world_.store.get(),
                                                                         .launcher = world_.launcher.get(),
                                                                         .metrics = &metrics_,
                                                                         .folders = &folders_,
                                                                         .mirrors = world_.mirrors.get(),
                                                                         .clock = world_.clock,
                                                                         .random = RandomShare}));
  promotion_ = std::make_unique<Promotion>(coordinator_.get(), &folders_, world_.model_server.get(),
                                           world_.mirrors.get());
  pulse_ = std::make_unique<Pulse>(world_.pulse);
  CallParts calls{.calls = {.authenticator = &authenticator_, .tracker = &calls_, .clock = world_.clock},
                  .pool = &operators_pool_,
                  .pulse = pulse_.get(),
                  .metrics = &metrics_,
                  .send_timeout = absl::Seconds(config_.send_timeout_seconds)};
  CallParts slow = calls;
  slow.pool = &slow_pool_;
  CallParts workers = calls;
  workers.calls.authenticator = &workers_authenticator_;
  workers.pool = &workers_pool_;
  training_service_ = std::make_unique<TrainingService>(
      TrainingServiceParts{.calls = calls,
                           .slow_calls = slow,
                           .environment = {config_.limits.slots, config_.threads_per_slot},
                           .coordinator = coordinator_.get(),
                           .promotion = promotion_.get(),
                           .logs = &logs_,
                           .folders = &folders_});
  worker_service_ = std::make_unique<WorkerService>(WorkerServiceParts{
      .calls = workers, .coordinator = coordinator_.get(), .logs = &logs_, .folders = &folders_});
  return absl::OkStatus();
}

absl::Status TrainingServer::Listen() {
  const std::string service = training::v1::TrainingService::service_full_name();
  const std::string worker_service = training::v1::WorkerService::service_full_name();
  IP2P_ASSIGN_OR_RETURN(worker_rpc_,
                        RpcServer::Start({.address = config_.worker_listen,
                                          .max_message_bytes = kMaxRequestBytes,
                                          .max_concurrent_streams = config_.max_concurrent_streams},
                                         {worker_service_.get()}, {worker_service}));
  world_.launcher->SetAddress(config_.worker_address.empty()
                                  ? absl::StrCat(HostOf(config_.worker_listen), ":", worker_rpc_->port())
                                  : config_.worker_address);
  IP2P_ASSIGN_OR_RETURN(
      rpc_,
      RpcServer::Start({.address = config_.listen,
                        .tls = {config_.tls_cert_file, config_.tls_key_file, config_.tls_client_ca_file},
                        .max_message_bytes = kMaxRequestBytes,
                        .max_concurrent_streams = config_.max_concurrent_streams},
                       {training_service_.get()}, {service}));
  if (!config_.metrics_listen.empty()) {
    IP2P_ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen, metrics_.registry()));
  }
  pulse_->Start([this] { Beat(); });
  worker_rpc_->SetServing(true);
  rpc_->SetServing(true);
  return absl::OkStatus();
}

void TrainingServer::Beat() {
  coordinator_->Tick();
  const absl::Status fatal = coordinator_->fatal();
  if (fatal.ok() || std::exchange(told_, true)) return;
  Log(LogLevel::kError, "the store must be loaded again", {{"status", fatal.ToString()}});
  on_fatal_();
}

TrainingServer::~TrainingServer() {
  if (pulse_ != nullptr) pulse_->Stop();
  if (rpc_ != nullptr) rpc_->Shutdown(absl::Now());
  if (worker_rpc_ != nullptr) worker_rpc_->Shutdown(absl::Now());
}

std::string TrainingServer::ReadyLine() const {
  return absl::StrFormat("{\"event\":\"ready\",\"port\":%d,\"worker_port\":%d,\"metrics_port\":%d}",
                         rpc_->port(), worker_rpc_->port(),
                         metrics_server_ == nullptr ? 0 : metrics_server_->port());
}

void TrainingServer::Drain() {
  const absl::Time deadline = absl::Now() + absl::Seconds(config_.drain_seconds);
  Log(LogLevel::kInfo, "draining", {{"calls", calls_.open()}});
  rpc_->SetServing(false);
  worker_rpc_->SetServing(false);
  pulse_->Stop();
  const bool done = calls_.WaitIdle(deadline);
  rpc_->Shutdown(absl::Now() + kStragglers);
  worker_rpc_->Shutdown(absl::Now() + kStragglers);
  Log(done ? LogLevel::kInfo : LogLevel::kWarning, "drained; workers run on", {{"complete", done}});
}

}  // namespace ip2p::training_coordinator
