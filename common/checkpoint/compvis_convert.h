// Tensors of one part in CompVis names <-> the same in diffusers' names. Renames, and where the two layouts
// differ also reshapes (the VAE's attention) or splits and joins (OpenCLIP's query, key and value). Pure
// functions.
#pragma once

#include "common/checkpoint/model_config.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

// Names that the tables do not know are kept with the part's prefix, so that CheckTensors reports them.
TensorMap UNetToDiffusers(const TensorMap& compvis, const UNetConfig& config);
TensorMap VaeToDiffusers(const TensorMap& compvis, const VaeConfig& config);
// Blocks from config.num_layers on are dropped: SD 2.x does not use OpenCLIP's last one.
TensorMap OpenClipToDiffusers(const TensorMap& compvis, const TextEncoderConfig& config);

// Full one-file names, prefix included. The tensors fit the config (CheckTensors).
TensorMap ToCompVis(const ModelConfig& config, const TensorMap& unet, const TensorMap& vae,
                    const TensorMap& text);

}  // namespace ip2p
