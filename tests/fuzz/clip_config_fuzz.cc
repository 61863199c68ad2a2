// libFuzzer: config.json and preprocessor_config.json of a CLIP from anyone. The first byte chooses which;
// whatever is accepted is in the ranges that the model's constructors divide and allocate by.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/checkpoint/clip_config_json.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckRefused(const absl::Status& status) {
  Check(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status));
}

void CheckVision(const ip2p::ClipVisionConfig& c) {
  Check(c.patch_size >= 1 && c.patch_size <= c.image_size && c.patches() >= 1);
  Check(c.num_heads >= 1 && c.hidden_size % c.num_heads == 0);
  Check(c.num_layers >= 1 && c.num_layers <= 1000 && c.intermediate_size >= 1);
  Check(c.layer_norm_eps > 0 && c.layer_norm_eps <= 1);
}

void ReadConfig(std::string_view text) {
  const absl::StatusOr<ip2p::ClipConfig> config = ip2p::ParseClipConfig(text, "config.json");
  if (!config.ok()) return CheckRefused(config.status());
  CheckVision(config->vision);
  Check(config->text.num_heads >= 1 && config->text.hidden_size % config->text.num_heads == 0);
  Check(config->projection_dim >= 1 && config->text.max_positions >= 2 && config->text.vocab_size >= 1);
  Check(!ip2p::ClipConfigText(*config).empty());
}

void ReadVision(std::string_view text) {
  const absl::StatusOr<ip2p::ClipConfig> config = ip2p::ParseClipVisionConfig(text, "config.json");
  if (!config.ok()) return CheckRefused(config.status());
  CheckVision(config->vision);
}

void ReadPreprocessing(std::string_view text) {
  const absl::StatusOr<ip2p::ClipPreprocessing> found =
      ip2p::ParseClipPreprocessing(text, "preprocessor_config.json");
  if (!found.ok()) return CheckRefused(found.status());
  Check(found->shortest_edge >= 1 && found->crop_size >= 1);
  for (const float value : found->std) Check(std::isfinite(value) && value > 0);
  for (const float value : found->mean) Check(std::isfinite(value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr void (*kReaders[])(std::string_view) = {ReadConfig, ReadVision, ReadPreprocessing};
  kReaders[data[0] % 3](text);
  return 0;
}
