// Examples to tensors. Internal to this folder. Pure functions.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <span>
#include <string>
#include <vector>

#include "common/model/tokenizer/tokenizer.h"
#include "common/training/example.h"
#include "common/training/parameter_set.h"

namespace ip2p {

// [N,L] int64 on `device`; longer texts are cut as CLIP does.
torch::Tensor TokenIds(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                       torch::Device device);

// [N,3,H,W] float32 in -1..1 on `device`, from pictures of one size.
torch::Tensor PictureTensor(std::span<const Example> examples, Image Example::*picture, torch::Device device);

// Every parameter of `module`, `prefix` before its name; with `shadows`, those of linear layers and
// convolutions are to be computed with in bf16, as autocast does.
void AppendParameters(const std::string& prefix, torch::nn::Module& module, bool shadows,
                      std::vector<LearnedParameter>& all);

}  // namespace ip2p
