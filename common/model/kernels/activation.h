// The gated unit of the UNet's feed-forward layers, in one pass. Thread-safe; uses torch's intra-op threads.
#pragma once

#include <torch/types.h>

namespace ip2p {

// x [...,2C] -> [...,C]: the first half times gelu of the second (the exact one, by erf).
torch::Tensor Geglu(const torch::Tensor& x);

}  // namespace ip2p
