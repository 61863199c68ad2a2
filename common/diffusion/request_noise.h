// A request's own noise: a CPU generator seeded with its seed, whatever the device, so that a seed means one
// picture.
//
// Not thread-safe; one a request. Draw number k of a seed equals draw number k of `torch.manual_seed(seed)`
// followed by `torch.randn(shape)` in Python, bit for bit.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace ip2p {

class NoiseGenerator {
 public:
  NoiseGenerator(uint64_t seed, torch::Device device);

  // Standard normal float32 of `shape`, drawn on the CPU, then moved to the device.
  torch::Tensor Draw(at::IntArrayRef shape);
  // A float32 in [0, 1), as torch.rand(()) gives it.
  double DrawUniform();

 private:
  at::Generator generator_;
  torch::Device device_;
};

}  // namespace ip2p
