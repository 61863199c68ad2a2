// A checkpoint on disk, whatever its layout, opened as (architecture, tensors in diffusers' names).
//
// Layouts: a diffusers folder (model_index.json), one-file .safetensors and .ckpt in the CompVis layout.
// Tensors are views of mapped files: opening reads headers only. Thread-compatible; the result is immutable.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_config.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct ModelOpenOptions {
  std::string vae_path;  // --vae-ckpt: takes the VAE from here instead
  std::optional<PredictionType>
      prediction;  // --prediction: wins; one-file SD 2.x needs it unless the file says so
};

struct ModelSource {
  ModelConfig config;
  TensorMap unet;          // diffusers names, for example "down_blocks.0.resnets.0.conv1.weight"
  TensorMap vae;           // "encoder.conv_in.weight", attention as to_q / to_k / to_v / to_out.0
  TensorMap text_encoder;  // "text_model.encoder.layers.0.self_attn.q_proj.weight"
  std::string vocab_json;  // tokenizer files of the model; empty: the standard CLIP vocabulary
  std::string merges_txt;
  // Config files as found, by their place in a diffusers folder ("unet/config.json"), so that converting
  // keeps what diffusers reads and we do not. A text that disagrees with `config` is ignored.
  std::map<std::string, std::string> config_files;
  std::string layout;     // "diffusers", "safetensors", "ckpt"; for `ip2p model inspect`
  bool used_ema = false;  // a .ckpt's EMA weights won
};

// Paths may be s3:// URLs, which are copied to the cache first (common/object_store/local_copy.h). Errors:
// NOT_FOUND, INVALID_ARGUMENT (not a model file, a FIFO, a device), DATA_LOSS (damaged),
// FAILED_PRECONDITION (an architecture we do not know, or missing / unexpected / misshapen tensors: the first
// 10 are named).
absl::StatusOr<ModelSource> OpenModel(const std::string& path, const ModelOpenOptions& options = {});

}  // namespace ip2p
