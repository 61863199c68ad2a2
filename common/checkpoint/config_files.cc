#include "common/checkpoint/config_files.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/tokenizer_files.h"

namespace ip2p {
namespace {

// The text as found if `parse` reads `config` from it, else what `write` makes.
template <typename Config, typename Parse, typename Write>
std::string KeepOrWrite(const std::map<std::string, std::string>& found, const std::string& name,
                        const Config& config, Parse parse, Write write) {
  const auto text = found.find(name);
  if (text != found.end()) {
    const absl::StatusOr<Config> parsed = parse(text->second);
    if (parsed.ok() && *parsed == config) return text->second;
  }
  return write(config);
}

absl::StatusOr<std::map<std::string, std::string>> TokenizerConfigs(const ModelSource& source) {
  const TextEncoderConfig& config = source.config.text_encoder;
  TokenizerFiles found{.vocab_json = source.vocab_json};
  for (const auto& [name, text] : source.config_files) {
    if (name.starts_with("tokenizer/")) found.configs[name] = text;
  }
  if (!found.configs.empty() && FindSpecialTokens(found).ok() && found.bos_token_id == config.bos_token_id &&
      found.eos_token_id == config.eos_token_id && found.pad_token_id == config.pad_token_id) {
    return found.configs;
  }
  return TokenizerConfigFiles(source.vocab_json, config);
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ConfigFiles(const ModelSource& source) {
  const ModelConfig& config = source.config;
  IP2P_ASSIGN_OR_RETURN(auto files, TokenizerConfigs(source));
  auto keep = [&](const char* name, const auto& part, auto parse, auto write) {
    files[name] = KeepOrWrite(source.config_files, name, part, parse, write);
  };
  keep("unet/config.json", config.unet, ParseUNetConfig, UNetConfigJson);
  keep("vae/config.json", config.vae, ParseVaeConfig, VaeConfigJson);
  keep("scheduler/scheduler_config.json", config.scheduler, ParseSchedulerConfig, SchedulerConfigJson);
  auto parse_text = [&config](const std::string& text) {
    absl::StatusOr<TextEncoderConfig> parsed = ParseTextEncoderConfig(text);
    if (parsed.ok()) {  // the tokenizer's files say these
      parsed->bos_token_id = config.text_encoder.bos_token_id;
      parsed->eos_token_id = config.text_encoder.eos_token_id;
      parsed->pad_token_id = config.text_encoder.pad_token_id;
    }
    return parsed;
  };
  keep("text_encoder/config.json", config.text_encoder, parse_text, TextEncoderConfigJson);
  return files;
}

}  // namespace ip2p
