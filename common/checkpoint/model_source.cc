#include "common/checkpoint/model_source.h"

#include <filesystem>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/diffusers_folder.h"
#include "common/checkpoint/one_file.h"
#include "common/object_store/local_copy.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

absl::StatusOr<ModelSource> OpenMain(const std::string& path, const ModelOpenOptions& options) {
  const bool with_vae = options.vae_path.empty();
  if (!IsFolder(path)) {
    IP2P_ASSIGN_OR_RETURN(OneFile file, ReadOneFile(path, "the checkpoint"));
    return OpenOneFile(std::move(file), options, with_vae);
  }
  if (!Exists(fs::path(path) / "model_index.json")) {
    return absl::InvalidArgumentError(
        "the checkpoint is a folder without model_index.json; wants a diffusers folder, a .safetensors or a "
        ".ckpt");
  }
  return OpenDiffusersFolder(path, with_vae);
}

absl::StatusOr<std::pair<VaeConfig, TensorMap>> OpenVae(const std::string& path) {
  if (!IsFolder(path)) {
    IP2P_ASSIGN_OR_RETURN(OneFile file, ReadOneFile(path, "the VAE checkpoint"));
    return VaeOfOneFile(std::move(file));
  }
  // The VAE's own folder, or a whole model's.
  return OpenVaeFolder(Exists(fs::path(path) / "config.json") ? path : (fs::path(path) / "vae").string());
}

// Each part fits its own config by now; do they fit each other?
absl::Status CheckTogether(const ModelConfig& c) {
  if (c.unet.cross_attention_dim != c.text_encoder.hidden_size) {
    return absl::FailedPreconditionError(absl::StrCat("the text encoder is ", c.text_encoder.hidden_size,
                                                      " wide; the UNet wants ", c.unet.cross_attention_dim));
  }
  if (c.unet.out_channels != c.vae.latent_channels) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the VAE has ", c.vae.latent_channels, " latent channels; the UNet wants ", c.unet.out_channels));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelSource> OpenModel(const std::string& path, const ModelOpenOptions& options) {
  IP2P_ASSIGN_OR_RETURN(const std::string local, LocalPath(path));
  IP2P_ASSIGN_OR_RETURN(ModelSource source, OpenMain(local, options));
  if (!options.vae_path.empty()) {
    IP2P_ASSIGN_OR_RETURN(const std::string local_vae, LocalPath(options.vae_path));
    IP2P_ASSIGN_OR_RETURN(std::tie(source.config.vae, source.vae), OpenVae(local_vae));
  }
  if (options.prediction.has_value()) source.config.scheduler.prediction = *options.prediction;
  IP2P_RETURN_IF_ERROR(CheckTogether(source.config));
  return source;
}

}  // namespace ip2p
