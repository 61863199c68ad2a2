// CLIP text transformer (transformers' CLIPTextModel): token ids to the hidden states that condition the UNet.
#pragma once

#include <torch/torch.h>

#include "common/checkpoint/model_config.h"

namespace ip2p {

class ClipTextEncoderImpl : public torch::nn::Module {
 public:
  explicit ClipTextEncoderImpl(const TextEncoderConfig& config);
  // ids [N,77] int64 -> [N,77,hidden], after the final layer norm.
  torch::Tensor forward(const torch::Tensor& ids);
};
TORCH_MODULE(ClipTextEncoder);

}  // namespace ip2p
