// The config files of a model, by their place in a diffusers folder.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// "unet/config.json", "vae/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json" and
// the tokenizer's. A text of source.config_files that still says what source.config says is kept as it is,
// because it may say more than we read; any other is written anew.
absl::StatusOr<std::map<std::string, std::string>> ConfigFiles(const ModelSource& source);

}  // namespace ip2p
