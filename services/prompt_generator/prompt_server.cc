// Members are destroyed in reverse: ports first, then what calls use, the loop last.
#include "services/prompt_generator/prompt_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/storage/make_folder.h"

namespace ip2p::prompt_generator {
namespace {

constexpr int kFileThreads = 2;
constexpr absl::Duration kStragglers =
    absl::Seconds(1);  // health watches and reflection never end themselves

}  // namespace

PromptServer::PromptServer(const ServerConfig& config, Authenticator authenticator)
    : config_(config),
      authenticator_(std::move(authenticator)),
      prompts_budget_(config.max_micro_usd, 0, nullptr),
      runs_(config.max_runs),
      files_(kFileThreads) {}

absl::StatusOr<std::unique_ptr<PromptServer>> PromptServer::Start(const ServerConfig& config) {
  Authenticator authenticator;
  if (!config.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file));
  }
  if (!config.data_dir.empty()) {
    IP2P_RETURN_IF_ERROR(MakeFolder(config.data_dir, absl::StrCat("data_dir ", config.data_dir)));
  }
  std::unique_ptr<PromptServer> server(new PromptServer(config, std::move(authenticator)));
  IP2P_RETURN_IF_ERROR(server->MakeProviders());
  IP2P_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status PromptServer::MakeProviders() {
  absl::Status status;
  loop_.Call([this, &status] {
    absl::StatusOr<std::unique_ptr<Providers>> providers = Providers::Create(
        &loop_.loop(), config_.providers, [this](const std::string& label) { metrics_.OnApiRequest(label); });
    status = providers.status();
    if (!providers.ok()) return;
    providers_ = *std::move(providers);
    finetunes_ = std::make_unique<FinetuneClient>(&providers_->api());
  });
  return status;
}

absl::Status PromptServer::Listen() {
  const CallEnvironment calls{.authenticator = &authenticator_, .tracker = &calls_};
  prompt_service_ = std::make_unique<PromptService>(PromptServiceParts{.calls = calls,
                                                                       .config = &config_,
                                                                       .loop = &loop_,
                                                                       .files = &files_,
                                                                       .metrics = &metrics_,
                                                                       .providers = providers_.get(),
                                                                       .runs = &runs_,
                                                                       .prompts_budget = &prompts_budget_});
  finetune_service_ = std::make_unique<FinetuneService>(FinetuneServiceParts{.calls = calls,
                                                                             .loop = &loop_,
                                                                             .metrics = &metrics_,
                                                                             .providers = providers_.get(),
                                                                             .client = finetunes_.get()});
  const std::string service = prompt::v1::PromptService::service_full_name();
  const std::string finetune_name = prompt::v1::FinetuneService::service_full_name();
  IP2P_ASSIGN_OR_RETURN(
      rpc_,
      RpcServer::Start({.address = config_.listen,
                        .tls = {config_.tls_cert_file, config_.tls_key_file, config_.tls_client_ca_file},
                        .max_message_bytes = 64 << 20,
                        .max_concurrent_streams = config_.max_concurrent_streams},
                       {prompt_service_.get(), finetune_service_.get()}, {service, finetune_name}));
  if (!config_.metrics_listen.empty()) {
    IP2P_ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen, metrics_.registry()));
  }
  rpc_->SetServing(true);
  return absl::OkStatus();
}

void PromptServer::StopRuns() {
  loop_.Call([this] { runs_.Stop(); });
}

PromptServer::~PromptServer() {
  StopRuns();
  if (rpc_ != nullptr) rpc_->Shutdown(absl::Now());
  // No call is open any more, so no task waits on the providers, which go on the loop's thread.
  loop_.Call([this] {
    finetunes_.reset();
    providers_.reset();
  });
}

std::string PromptServer::ReadyLine() const {
  return absl::StrFormat("{\"event\":\"ready\",\"port\":%d,\"metrics_port\":%d,\"provider\":\"%s\"}",
                         rpc_->port(), metrics_port(),
                         ProviderName(providers_->Resolve(ProviderKind::kDefault)));
}

void PromptServer::Drain() {
  const absl::Time deadline = absl::Now() + absl::Seconds(config_.drain_seconds);
  Log(LogLevel::kInfo, "draining", {{"calls", calls_.open()}});
  rpc_->SetServing(false);
  StopRuns();
  const bool done = calls_.WaitIdle(deadline);
  rpc_->Shutdown(absl::Now() + kStragglers);
  Log(done ? LogLevel::kInfo : LogLevel::kWarning, "drained", {{"complete", done}});
}

}  // namespace ip2p::prompt_generator
