// What is set by text becomes values; what fits none is listed.
#include "services/prompt_generator/config.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/server_settings.h"

namespace ip2p::prompt_generator {
namespace {

// What has no type of its own in Settings.
struct Texts {
  std::string provider;
  double max_usd = -1;
  bool no_moderation = false;
  int requests_per_minute = 0;
  int tokens_per_minute = 0;
  double connect_timeout_seconds = 10;
  double stall_timeout_seconds = 60;
  double request_timeout_seconds = 120;
};

void DeclareProvider(Settings& settings, ServerConfig& config, Texts& texts) {
  ProviderConfig& provider = config.providers;
  settings.Add(
      "provider", &texts.provider,
      "openai-chat, openai-completion, openai-batch or shapes; default: openai-chat with a key, else shapes");
  settings.Add("base_url", &provider.api.base_url, "of a server that speaks the OpenAI API");
  settings.Add("model", &provider.chat_model, "of openai-chat and openai-batch");
  settings.Add("completion_model", &provider.completion_model, "of openai-completion");
  settings.Add("moderation_model", &provider.moderation_model, "of the moderation endpoint");
  settings.Add("organization", &provider.api.organization, "sent along, if any");
  settings.Add("project", &provider.api.project, "sent along, if any");
  settings.Add("key_file", &provider.key_file,
               "file that holds the API key; default: the variable OPENAI_API_KEY");
  settings.Add("prices_file", &provider.prices_file,
               "JSON file of prices by model (deploy/config/prices.json)");
  settings.Add("ca_file", &provider.ca_file, "PEM authorities in place of the system's");
  settings.Add("requests_per_minute", &texts.requests_per_minute, 0, 10'000'000,
               "held to; 0: what the server says");
  settings.Add("tokens_per_minute", &texts.tokens_per_minute, 0, 2'000'000'000,
               "held to; 0: what the server says");
  settings.Add("api_concurrency", &provider.api.max_concurrency, 1, 1024, "requests in flight, of all runs");
  settings.Add("connect_timeout_seconds", &texts.connect_timeout_seconds, 0.01, 600, "for a connection");
  settings.Add("stall_timeout_seconds", &texts.stall_timeout_seconds, 0.01, 3600, "without a byte");
  settings.Add("request_timeout_seconds", &texts.request_timeout_seconds, 0.01, 3600, "for a whole answer");
  settings.Add(
      "max_usd", &texts.max_usd, -1, 1e9,
      "most that a run may spend, and all single prompts together; -1: unlimited, 0: only what is free");
}

void DeclareDefaults(Settings& settings, ServerConfig& config, Texts& texts) {
  GenerationParams& params = config.params;
  settings.Add("temperature", &params.temperature, 0, 2, "of sampling");
  settings.Add("max_tokens", &params.max_tokens, 1, 4096, "of an answer");
  settings.Add("frequency_penalty", &params.frequency_penalty, -2, 2, "on repeated tokens");
  settings.Add("max_tries", &params.max_tries, 1, 10, "of a caption");
  settings.Add("no_moderation", &texts.no_moderation, "don't have captions and answers judged");
  settings.Add("concurrency", &config.concurrency, 1, 1024, "captions in flight, of a run");
}

void DeclareServer(Settings& settings, ServerConfig& config) {
  settings.Add("listen", &config.listen, "HOST:PORT for callers; port 0 takes a free one");
  settings.Add("metrics_listen", &config.metrics_listen, "HOST:PORT of /metrics; \"off\": none");
  settings.Add("data_dir", &config.data_dir,
               "folder of captions files and of runs' journals and outputs; made when there is none");
  settings.Add("max_runs", &config.max_runs, 1, 1000, "runs under way at once");
  settings.Add("max_concurrent_streams", &config.max_concurrent_streams, 1, 100000,
               "calls of one connection");
  settings.Add("drain_seconds", &config.drain_seconds, 0, 86400, "time for what is under way after SIGTERM");
  settings.Add("send_timeout_seconds", &config.send_timeout_seconds, 0.01, 86400,
               "time for a caller to take its answer");
  settings.Add("token_file", &config.token_file, "JSON file of bearer tokens; callers must send one");
  settings.Add("tls_cert_file", &config.tls_cert_file, "PEM certificate chain; turns TLS on");
  settings.Add("tls_key_file", &config.tls_key_file, "PEM private key");
  settings.Add("tls_client_ca_file", &config.tls_client_ca_file,
               "PEM roots; callers must show a certificate");
  settings.Add("log_level", &config.log_level, "debug, info, warning or error");
}

void Interpret(const Texts& texts, ServerConfig& config, std::vector<std::string>& faults) {
  if (const std::optional<ProviderKind> kind = ParseProvider(texts.provider); kind) {
    config.providers.provider = *kind;
  } else {
    faults.push_back(absl::StrCat("provider is \"", texts.provider,
                                  "\"; wants openai-chat, openai-completion, openai-batch or shapes"));
  }
  if (texts.max_usd < 0 && texts.max_usd != -1) {
    faults.push_back(absl::StrCat("max_usd is ", texts.max_usd, "; wants 0 or more, or -1: unlimited"));
  }
  if (texts.max_usd >= 0) config.max_micro_usd = std::llround(texts.max_usd * 1e6);
  config.params.moderation = !texts.no_moderation;
  config.providers.api.limits.requests_per_minute = texts.requests_per_minute;
  config.providers.api.limits.tokens_per_minute = texts.tokens_per_minute;
  config.providers.api.connect_timeout = absl::Seconds(texts.connect_timeout_seconds);
  config.providers.api.stall_timeout = absl::Seconds(texts.stall_timeout_seconds);
  config.providers.api.total_timeout = absl::Seconds(texts.request_timeout_seconds);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  CheckTlsFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file, faults);
}

}  // namespace

absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  ServerConfig config;
  Texts texts;
  Settings settings(
      "ip2p_prompt_generator: turns captions into edit instructions over gRPC "
      "(ip2p.prompt.v1.PromptService).");
  DeclareServer(settings, config);
  DeclareProvider(settings, config, texts);
  DeclareDefaults(settings, config, texts);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_prompt_generator " IP2P_VERSION, faults))
    return std::optional<ServerConfig>();
  Interpret(texts, config, faults);
  ReadLogLevel(config.log_level, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<ServerConfig>(std::move(config));
}

}  // namespace ip2p::prompt_generator
