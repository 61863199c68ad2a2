// From a checkpoint's tensors to a frozen network: what all loaders here share.
#pragma once

#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/tensor.h"
#include "common/model/weights.h"

namespace ip2p {

struct LoadOptions {
  torch::Device device = torch::kCPU;
  torch::ScalarType dtype = torch::kFloat32;
  // Rearrange weights for fast inference on this CPU. False leaves plain parameters with memory of their own.
  bool pack = true;
};

// One network: its modules, then the file's weights in them, frozen. The modules' own memory is never
// touched, so it costs address space only. Errors: those of AssignWeights.
template <typename Net, typename Config>
absl::StatusOr<Net> LoadNetwork(const Config& config, const TensorMap& tensors, const std::string& part,
                                const LoadOptions& options, Packing packing) {
  Net net(config);
  const bool pack = options.pack && options.device.is_cpu();
  const WeightOptions weights{.device = options.device,
                              .dtype = options.dtype,
                              .share_memory = pack,
                              .packing = pack ? packing : Packing::kNever};
  IP2P_RETURN_IF_ERROR(AssignWeights(*net, tensors, part, weights));
  net->eval();
  for (torch::Tensor& parameter : net->parameters()) parameter.set_requires_grad(false);
  return net;
}

}  // namespace ip2p
