// Who writes edits in this process: the offline grammar, and, where one is configured, one OpenAI API that
// all runs share, so that they keep its limits together. One loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/curl_http_client.h"
#include "common/openai/openai_api.h"
#include "common/openai/price_table.h"
#include "common/prompts/openai_models.h"
#include "common/prompts/prompt_model.h"
#include "common/prompts/shapes_model.h"

namespace ip2p {

enum class ProviderKind { kDefault, kOpenAiChat, kOpenAiCompletion, kOpenAiBatch, kShapes };

// "openai-chat", ...; "" is the default. Nothing for other names.
std::optional<ProviderKind> ParseProvider(std::string_view name);
const char* ProviderName(ProviderKind kind);

struct ProviderConfig {
  ProviderKind provider = ProviderKind::kDefault;  // openai-chat with a key or another base URL, else shapes
  std::string key_file;                            // empty: OPENAI_API_KEY
  std::string prices_file;                         // empty: no price is known
  std::string ca_file;                             // PEM; empty: the system's authorities
  std::string chat_model = "gpt-4o-mini";
  std::string completion_model = "davinci-002";
  std::string moderation_model = "omni-moderation-latest";
  OpenAiConfig api;
};

class Providers {
 public:
  // Errors: NOT_FOUND, INVALID_ARGUMENT (key, price file, base URL, limits). `on_request` hears of every
  // request by its label. The loop must outlive the providers.
  static absl::StatusOr<std::unique_ptr<Providers>> Create(
      EventLoop* loop, const ProviderConfig& config,
      std::function<void(const std::string& label)> on_request = {});

  // The kind meant by kDefault; others are themselves.
  ProviderKind Resolve(ProviderKind kind) const;
  // Who writes; not for kOpenAiBatch. `priced`: FAILED_PRECONDITION when its price is unknown. Also
  // FAILED_PRECONDITION: an OpenAI provider where a key is missing for the official address.
  absl::StatusOr<PromptModel*> Writer(ProviderKind kind, const GenerationParams& params, bool priced);
  // Null for `shapes`, which needs none.
  Moderator* JudgeOf(ProviderKind kind);
  // The configured model; empty for `shapes`.
  std::string ModelOf(ProviderKind kind) const;
  // Those that can be asked for, the default first.
  std::vector<ProviderKind> Available() const;

  const ProviderConfig& config() const { return config_; }
  OpenAiApi& api() { return *api_; }
  const PriceTable& prices() const { return prices_; }
  EventLoop& loop() { return api_->loop(); }

 private:
  Providers(EventLoop* loop, const ProviderConfig& config);
  bool HasOpenAi() const;

  const ProviderConfig config_;
  PriceTable prices_;
  CurlHttpClient http_;
  std::unique_ptr<OpenAiApi> api_;
  std::unique_ptr<OpenAiModel> chat_;
  std::unique_ptr<OpenAiModel> completion_;
  std::unique_ptr<OpenAiModerator> moderator_;
  ShapesModel shapes_;
};

}  // namespace ip2p
