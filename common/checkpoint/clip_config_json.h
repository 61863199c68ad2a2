// transformers' config.json of a CLIP and preprocessor_config.json -> our structs. Pure functions.
//
// Missing fields have transformers' defaults; a `text_config_dict` or `vision_config_dict` (files of 2022)
// replaces the config of its name, as there. FAILED_PRECONDITION names every field that means something which
// is not implemented here; DATA_LOSS when the text is not JSON. `name` stands in messages.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_config.h"
#include "common/checkpoint/config_reader.h"

namespace ip2p {

absl::StatusOr<ClipConfig> ParseClipConfig(std::string_view text, const std::string& name);
// Of the image side alone (a safety checker): `text` and `pooled_token` keep their defaults.
absl::StatusOr<ClipConfig> ParseClipVisionConfig(std::string_view text, const std::string& name);
absl::StatusOr<ClipPreprocessing> ParseClipPreprocessing(std::string_view text, const std::string& name);

// The same config as one line of JSON, whatever its file looked like.
std::string ClipConfigText(const ClipConfig& config);

// The fields of a text tower, whichever file they stand in. Faults go to the reader.
TextEncoderConfig ReadTextTower(ConfigReader& reader);

}  // namespace ip2p
