// Members are destroyed in reverse: ports first, models last.
#include "services/pair_generator/pair_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/miniature.h"
#include "common/base/status_macros.h"

namespace ip2p::pair_generator {
namespace {

constexpr absl::Duration kStragglers =
    absl::Seconds(1);                      // health watches and reflection streams never end themselves
constexpr int kMaxRequestBytes = 4 << 20;  // 100 prompts, 10000 seeds

}  // namespace

PairServer::PairServer(const ServerConfig& config, Authenticator authenticator, Loader loader)
    : config_(config),
      authenticator_(std::move(authenticator)),
      loader_(std::move(loader)),
      queue_(metrics_, {.queue_limit = config.queue_limit, .client_limit = config.client_limit}),
      service_({.calls = {.authenticator = &authenticator_, .tracker = &calls_},
                .queue = &queue_,
                .metrics = &metrics_,
                .send_timeout = absl::Seconds(config.send_timeout_seconds),
                .send_buffer_bytes = static_cast<size_t>(config.send_buffer_mb) << 20}) {}

absl::StatusOr<std::unique_ptr<PairServer>> PairServer::Start(const ServerConfig& config, Loader loader) {
  Authenticator authenticator;
  if (!config.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file));
  }
  std::unique_ptr<PairServer> server(new PairServer(config, std::move(authenticator), std::move(loader)));
  IP2P_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status PairServer::Listen() {
  IP2P_ASSIGN_OR_RETURN(
      rpc_,
      RpcServer::Start({.address = config_.listen,
                        .tls = {config_.tls_cert_file, config_.tls_key_file, config_.tls_client_ca_file},
                        .max_message_bytes = kMaxRequestBytes,
                        .max_concurrent_streams = config_.max_concurrent_streams},
                       {&service_}, {std::string(pair::v1::PairService::service_full_name())}));
  if (!config_.metrics_listen.empty()) {
    IP2P_ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen, metrics_.registry()));
  }
  return absl::OkStatus();
}

PairServer::~PairServer() {
  queue_.StopAdmitting();
  queue_.GiveUp(absl::UnavailableError("the server is stopping"));
  if (rpc_ != nullptr) rpc_->Shutdown(absl::Now());
}

absl::Status PairServer::LoadModels() {
  // Joined at the end: until then every request hears that models are being loaded, not that one is unknown.
  if (config_.miniature) Log(LogLevel::kWarning, absl::StrCat("no model is named: ", kMiniatureNote));
  std::vector<std::unique_ptr<PairSampler>> loaded;
  for (const ModelSpec& spec : config_.models) {
    const absl::Time start = absl::Now();
    absl::StatusOr<std::unique_ptr<PairSampler>> sampler = loader_(spec);
    if (!sampler.ok()) {
      return absl::Status(sampler.status().code(),
                          absl::StrCat("model ", spec.name, ": ", sampler.status().message()));
    }
    Log(LogLevel::kInfo, "model loaded",
        {{"model", spec.name},
         {"precision", (*sampler)->precision_name()},
         {"clip", (*sampler)->has_clip()},
         {"ms", absl::ToInt64Milliseconds(absl::Now() - start)}});
    loaded.push_back(*std::move(sampler));
  }
  for (size_t i = 0; i < loaded.size(); ++i) queue_.AddModel(config_.models[i].name, std::move(loaded[i]));
  rpc_->SetServing(true);
  return absl::OkStatus();
}

std::string PairServer::ReadyLine() const {
  return absl::StrFormat("{\"event\":\"ready\",\"port\":%d,\"metrics_port\":%d}", rpc_->port(),
                         metrics_port());
}

void PairServer::Drain() {
  const absl::Time deadline = absl::Now() + absl::Seconds(config_.drain_seconds);
  Log(LogLevel::kInfo, "draining", {{"calls", calls_.open()}, {"waiting", queue_.waiting()}});
  rpc_->SetServing(false);
  queue_.StopAdmitting();
  const bool done = queue_.WaitIdle(deadline) && calls_.WaitIdle(deadline);  // pairs made, and delivered
  if (!done) queue_.GiveUp(absl::UnavailableError("the server is stopping; try again elsewhere"));
  rpc_->Shutdown(absl::Now() + kStragglers);
  Log(done ? LogLevel::kInfo : LogLevel::kWarning, "drained", {{"complete", done}});
}

}  // namespace ip2p::pair_generator
