// A convolution that learns, in bf16 on the CPU. oneDNN reorders the whole weight for each of the three
// products (output, gradient of the input, of the weight) and makes the last one slowly where maps are small;
// here those are plain matrix products over rows of pixels.
#pragma once

#include <torch/types.h>

namespace ip2p::kernels {

// torch::conv2d with the same stride and padding on both axes, and its gradients, under autocast as it is.
// Where the products do not pay (float32, another device, no bf16 instructions, gradients off) it is
// torch::conv2d itself.
torch::Tensor TrainedConv2d(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                            int64_t stride, int64_t padding);

}  // namespace ip2p::kernels
