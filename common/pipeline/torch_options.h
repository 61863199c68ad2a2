// What callers say about the machine, in torch's words. Internal to what links torch.
#pragma once

#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "common/diffusion/kinds.h"

namespace ip2p {

// "cpu" or "cuda:N". INVALID_ARGUMENT for another name, FAILED_PRECONDITION when there is no such device.
absl::StatusOr<torch::Device> ParseDevice(const std::string& name);

// Auto: fp16 on CUDA, bf16 on a CPU that has it in hardware, else fp32. Never kAuto.
Precision ChoosePrecision(Precision asked, torch::Device device);

torch::ScalarType DtypeOf(Precision precision);

// Float32 on CUDA means float32: by default cuDNN rounds its convolutions' inputs to TF32's ten bits, which
// moves CLIP's scores of small models by 0.002. Holds for the process.
void HoldPrecision(Precision precision, torch::Device device);

}  // namespace ip2p
