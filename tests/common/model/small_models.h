// Miniature networks with seeded random weights for the tests of this folder.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "common/checkpoint/model_config.h"

namespace ip2p {

inline UNetConfig SmallUNet() {
  return {.block_out_channels = {16, 32},
          .attention = {true, false},
          .layers_per_block = {1, 1},
          .attention_heads = {2, 4},
          .cross_attention_dim = 24,
          .norm_num_groups = 8};
}

inline VaeConfig SmallVae() {
  return {.block_out_channels = {16, 32, 32}, .layers_per_block = 1, .norm_num_groups = 8};
}

inline TextEncoderConfig SmallText() {
  return {.vocab_size = 600,
          .hidden_size = 24,
          .intermediate_size = 48,
          .num_layers = 2,
          .num_heads = 3,
          .bos_token_id = 598,
          .eos_token_id = 599,
          .pad_token_id = 599};
}

// Matrices of unit gain, norms near the identity.
inline void FillRandom(torch::nn::Module& module, uint64_t seed = 0) {
  const torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& item : module.named_parameters()) {
    torch::Tensor& parameter = item.value();
    const bool matrix = parameter.dim() >= 2;
    const double std = matrix ? 1 / std::sqrt(static_cast<double>(parameter[0].numel())) : 0.1;
    parameter.normal_(0, std, generator);
    if (!matrix && item.key().ends_with("weight")) parameter.add_(1);
  }
}

}  // namespace ip2p
