// diffusers' and transformers' config.json files <-> ModelConfig. Pure functions.
//
// Reading takes diffusers' own defaults for missing fields and refuses what is not implemented here, naming
// the file, the field, what was found and what is wanted (FAILED_PRECONDITION; DATA_LOSS when it is not
// JSON). Writing is deterministic and gives files that diffusers opens; reading them back gives the same
// config.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_config.h"

namespace ip2p {

absl::StatusOr<UNetConfig> ParseUNetConfig(std::string_view text);
absl::StatusOr<VaeConfig> ParseVaeConfig(std::string_view text);
// Token ids are the tokenizer's affair (see tokenizer_files.h) and keep their defaults.
absl::StatusOr<TextEncoderConfig> ParseTextEncoderConfig(std::string_view text);
absl::StatusOr<SchedulerConfig> ParseSchedulerConfig(std::string_view text);

std::string UNetConfigJson(const UNetConfig& config);
std::string VaeConfigJson(const VaeConfig& config);
std::string TextEncoderConfigJson(const TextEncoderConfig& config);
std::string SchedulerConfigJson(const SchedulerConfig& config);

}  // namespace ip2p
