// One-file checkpoints in the CompVis layout, whatever container they came in, turned into a ModelSource.
//
// Files that this project wrote carry their config files as metadata (FORMAT.md) and may have any
// architecture; of others it is derived from names and shapes. EMA weights win when they are complete; when
// there are some but not all, the file is refused, because a mixture is nobody's model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/safetensors.h"

namespace ip2p {

inline constexpr char kFormatKey[] = "ip2p.format";     // "1"
inline constexpr char kFileKeyPrefix[] = "ip2p.file:";  // + "unet/config.json": the text of that file

struct OneFile {
  TensorMap tensors;
  Metadata metadata;
  std::optional<int64_t> global_step;
  std::string layout;  // for ModelSource
};

// Reads either container, told apart by the first bytes. Errors as OpenModel.
absl::StatusOr<OneFile> ReadOneFile(const std::string& path, const std::string& name);

// `with_vae` false leaves the VAE alone, present or not.
absl::StatusOr<ModelSource> OpenOneFile(OneFile file, const ModelOpenOptions& options, bool with_vae);

// A VAE alone, or that of a whole checkpoint; with or without the prefix "first_stage_model.".
absl::StatusOr<std::pair<VaeConfig, TensorMap>> VaeOfOneFile(OneFile file);

}  // namespace ip2p
