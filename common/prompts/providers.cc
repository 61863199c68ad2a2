#include "common/prompts/providers.h"

#include <iterator>
#include <utility>

#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr const char* kNames[] = {"", "openai-chat", "openai-completion", "openai-batch", "shapes"};

}  // namespace

std::optional<ProviderKind> ParseProvider(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<ProviderKind>(i);
  }
  return std::nullopt;
}

const char* ProviderName(ProviderKind kind) { return kNames[static_cast<size_t>(kind)]; }

Providers::Providers(EventLoop* loop, const ProviderConfig& config)
    : config_(config),
      http_(loop, {.max_connections = config.api.max_concurrency, .ca_file = config.ca_file}) {}

absl::StatusOr<std::unique_ptr<Providers>> Providers::Create(
    EventLoop* loop, const ProviderConfig& config, std::function<void(const std::string& label)> on_request) {
  std::unique_ptr<Providers> result(new Providers(loop, config));
  if (!config.prices_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(result->prices_, PriceTable::Load(config.prices_file));
  }
  IP2P_ASSIGN_OR_RETURN(ApiKey key, ApiKey::Load(config.key_file));
  OpenAiApi::Hooks hooks;
  hooks.on_request = std::move(on_request);
  IP2P_ASSIGN_OR_RETURN(
      result->api_, OpenAiApi::Create(loop, &result->http_, config.api, std::move(key), std::move(hooks)));
  OpenAiApi* const api = result->api_.get();
  result->chat_ = std::make_unique<OpenAiModel>(api, OpenAiStyle::kChat, config.chat_model, &result->prices_);
  result->completion_ =
      std::make_unique<OpenAiModel>(api, OpenAiStyle::kCompletion, config.completion_model, &result->prices_);
  result->moderator_ = std::make_unique<OpenAiModerator>(api, config.moderation_model);
  return result;
}

// A server of one's own wants no key; the official one does.
bool Providers::HasOpenAi() const {
  return !api_->key().empty() || config_.api.base_url != OpenAiConfig().base_url;
}

ProviderKind Providers::Resolve(ProviderKind kind) const {
  if (kind == ProviderKind::kDefault) kind = config_.provider;
  if (kind != ProviderKind::kDefault) return kind;
  return HasOpenAi() ? ProviderKind::kOpenAiChat : ProviderKind::kShapes;
}

absl::StatusOr<PromptModel*> Providers::Writer(ProviderKind kind, const GenerationParams& params,
                                               bool priced) {
  kind = Resolve(kind);
  if (kind == ProviderKind::kShapes) return &shapes_;
  if (!HasOpenAi()) {
    return absl::FailedPreconditionError(
        "the provider has no key; wants OPENAI_API_KEY, a key file, or another base URL");
  }
  OpenAiModel* const model = kind == ProviderKind::kOpenAiCompletion ? completion_.get() : chat_.get();
  if (priced) IP2P_RETURN_IF_ERROR(model->CheckPriced(params));
  return model;
}

Moderator* Providers::JudgeOf(ProviderKind kind) {
  return Resolve(kind) == ProviderKind::kShapes ? nullptr : moderator_.get();
}

std::string Providers::ModelOf(ProviderKind kind) const {
  switch (Resolve(kind)) {
    case ProviderKind::kShapes:
      return "";
    case ProviderKind::kOpenAiCompletion:
      return config_.completion_model;
    default:
      return config_.chat_model;
  }
}

std::vector<ProviderKind> Providers::Available() const {
  std::vector<ProviderKind> kinds = {Resolve(ProviderKind::kDefault)};
  for (const ProviderKind kind : {ProviderKind::kOpenAiChat, ProviderKind::kOpenAiCompletion,
                                  ProviderKind::kOpenAiBatch, ProviderKind::kShapes}) {
    if (kind != kinds[0] && (kind == ProviderKind::kShapes || HasOpenAi())) kinds.push_back(kind);
  }
  return kinds;
}

}  // namespace ip2p
