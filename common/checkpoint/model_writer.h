// Writing models: a diffusers folder, or one .safetensors in the CompVis layout. Both are published whole
// (storage/), deterministic, and read back by OpenModel to the same config and the same bytes of every
// tensor. One call a target.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// The folder opens in diffusers. `source` needs a vocabulary: fill vocab_json and merges_txt with the
// standard one when it has none (clip_vocabulary.h). Errors: ALREADY_EXISTS
// (nothing is replaced), FAILED_PRECONDITION (no vocabulary, tensors that do not fit the config), the file
// system's own.
absl::Status SaveDiffusersFolder(const ModelSource& source, const std::string& path);

// Replaces an existing file. Errors: FAILED_PRECONDITION, the file system's own.
absl::Status SaveOneFile(const ModelSource& source, const std::string& path);

}  // namespace ip2p
