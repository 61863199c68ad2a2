// A diffusers folder (model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/) opened as a
// ModelSource.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// Errors as OpenModel. `with_vae` false leaves config.vae and vae alone (--vae-ckpt replaces them).
absl::StatusOr<ModelSource> OpenDiffusersFolder(const std::string& path, bool with_vae);

// The same without weights and without model_index.json: the tensors are left empty.
absl::StatusOr<ModelSource> ReadDiffusersConfigs(const std::string& path, bool with_vae);

// A VAE folder of its own, config.json and weights inside.
absl::StatusOr<std::pair<VaeConfig, TensorMap>> OpenVaeFolder(const std::string& path);

}  // namespace ip2p
