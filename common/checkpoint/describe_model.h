// What a model is, for people (`ip2p model inspect`) and for /metrics labels. Pure functions; reads no tensor
// data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/checkpoint/model_source.h"

namespace ip2p {

struct PartDescription {
  std::string name;  // "unet"
  size_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;
  std::string dtypes;  // "F16", or "F16, F32" when mixed
};

struct ModelDescription {
  std::string family;  // "Stable Diffusion 1.x, InstructPix2Pix"
  std::string layout;  // "diffusers", "safetensors", "ckpt"
  bool used_ema = false;
  bool own_vocabulary = false;
  std::string prediction;  // "epsilon", "v_prediction"
  ModelConfig config;
  std::vector<PartDescription> parts;  // unet, vae, text_encoder
};

ModelDescription DescribeModel(const ModelSource& source);

// A few aligned lines for a terminal.
std::string DescriptionText(const ModelDescription& description);
// One object, for --json.
std::string DescriptionJson(const ModelDescription& description);

}  // namespace ip2p
