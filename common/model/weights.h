// Puts a checkpoint's tensors into a module's parameters.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>

#include "absl/status/status.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

// When layers take their inference form (layers.h) as their weights arrive, which spares a copy of the model
// in between. For the CPU.
enum class Packing {
  kNever,
  kUnlessShared,  // not those that can stay in the file's own pages: for networks that seldom run
  kAlways,
};

struct WeightOptions {
  torch::Device device = torch::kCPU;
  torch::ScalarType dtype = torch::kFloat32;
  // Parameters may be views of the tensors' own (mapped, read-only) memory where that has the right type.
  bool share_memory = false;
  Packing packing = Packing::kNever;
};

// Fills every parameter of `module` from the tensor of its name, converted to options.dtype. `part` ("unet")
// goes before names in messages. Errors: FAILED_PRECONDITION when a tensor is missing, unexpected, misshapen
// or of no floating type, naming the first 10; then nothing was changed. DATA_LOSS when a weight is NaN or
// infinite, or not in range of dtype; then some parameters may be filled. Uses torch's intra-op threads;
// memory is that of the parameters and one layer a thread.
absl::Status AssignWeights(torch::nn::Module& module, const TensorMap& tensors, const std::string& part,
                           const WeightOptions& options);

// Lets go of this process's pages of parameters that are views of a mapped file. They come back when touched,
// from the page cache as a rule.
void ReleaseSharedWeights(const torch::nn::Module& module);

}  // namespace ip2p
