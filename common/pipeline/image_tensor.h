// Pictures to tensors and back.
#pragma once

#include <torch/types.h>

#include "common/image/image.h"
#include "common/image/mask.h"

namespace ip2p {

// -> [1,3,H,W] float32 in -1..1 on `device`.
torch::Tensor ImageToTensor(const Image& image, torch::Device device);

// [1,3,H,W], about -1..1 (clamped), any dtype and device -> 8 bits, rounded to nearest.
Image TensorToImage(const torch::Tensor& tensor);

// -> [1,1,H,W] bool on `device`, true where the value is not 0.
torch::Tensor MaskTensor(const Mask& mask, torch::Device device);

// [1,1,H,W] in 0..1, any dtype and device -> 0..255, rounded to nearest.
Mask TensorToMask(const torch::Tensor& tensor);

}  // namespace ip2p
