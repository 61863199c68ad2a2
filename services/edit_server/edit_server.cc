// Members are destroyed in reverse: ports first, models last.
#include "services/edit_server/edit_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/miniature.h"
#include "common/base/status_macros.h"

namespace ip2p::edit_server {
namespace {

constexpr absl::Duration kStragglers =
    absl::Seconds(1);  // health watches and reflection streams never end themselves

QueueLimits LimitsOf(const ServerConfig& config) {
  return {.queue_limit = config.queue_limit,
          .client_limit = config.client_limit,
          .remembered_bytes = static_cast<size_t>(config.remember_mb) << 20,
          .codec_threads = config.codec_threads};
}

}  // namespace

EditServer::EditServer(const ServerConfig& config, Authenticator authenticator, EngineFactory factory)
    : config_(config),
      authenticator_(std::move(authenticator)),
      models_(config.models, config.models_dir,
              [this, make = std::move(factory)](const ModelSpec& spec) { return make(spec, &metrics_); }),
      queue_(models_, metrics_, LimitsOf(config)),
      edit_service_({.calls = {.authenticator = &authenticator_, .tracker = &calls_},
                     .queue = &queue_,
                     .models = &models_,
                     .metrics = &metrics_,
                     .max_batch = config.max_batch,
                     .send_timeout = absl::Seconds(config.send_timeout_seconds)}),
      model_service_({.authenticator = &authenticator_, .tracker = &calls_}, models_) {}

absl::StatusOr<std::unique_ptr<EditServer>> EditServer::Start(const ServerConfig& config,
                                                              EngineFactory factory) {
  Authenticator authenticator;
  if (!config.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file));
  }
  std::unique_ptr<EditServer> server(new EditServer(config, std::move(authenticator), std::move(factory)));
  IP2P_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status EditServer::Listen() {
  const TlsOptions tls{config_.tls_cert_file, config_.tls_key_file, config_.tls_client_ca_file};
  const std::string service = edit::v1::EditService::service_full_name();
  IP2P_ASSIGN_OR_RETURN(rpc_, RpcServer::Start({.address = config_.listen,
                                                .tls = tls,
                                                .max_concurrent_streams = config_.max_concurrent_streams},
                                               {&edit_service_}, {service}));
  IP2P_ASSIGN_OR_RETURN(
      admin_, RpcServer::Start({.address = config_.admin_listen, .tls = tls}, {&model_service_}, {service}));
  if (!config_.metrics_listen.empty()) {
    IP2P_ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen, metrics_.registry()));
  }
  return absl::OkStatus();
}

EditServer::~EditServer() {
  queue_.StopAdmitting();
  if (rpc_ != nullptr) rpc_->Shutdown(absl::Now());
  if (admin_ != nullptr) admin_->Shutdown(absl::Now());
}

absl::Status EditServer::LoadModels() {
  if (config_.miniature) Log(LogLevel::kWarning, absl::StrCat("no model is named: ", kMiniatureNote));
  IP2P_RETURN_IF_ERROR(models_.LoadAll());
  rpc_->SetServing(true);
  admin_->SetServing(true);
  return absl::OkStatus();
}

std::string EditServer::ReadyLine() const {
  return absl::StrFormat("{\"event\":\"ready\",\"port\":%d,\"admin_port\":%d,\"metrics_port\":%d}",
                         rpc_->port(), admin_->port(), metrics_port());
}

void EditServer::Drain() {
  const absl::Time deadline = absl::Now() + absl::Seconds(config_.drain_seconds);
  Log(LogLevel::kInfo, "draining", {{"in_flight", queue_.in_flight()}, {"waiting", queue_.waiting()}});
  rpc_->SetServing(false);
  admin_->SetServing(false);
  queue_.StopAdmitting();
  const bool done = queue_.WaitIdle(deadline) && calls_.WaitIdle(deadline);  // edits made, answers delivered
  rpc_->Shutdown(absl::Now() + kStragglers);
  admin_->Shutdown(absl::Now() + kStragglers);
  Log(done ? LogLevel::kInfo : LogLevel::kWarning, "drained", {{"complete", done}});
}

}  // namespace ip2p::edit_server
