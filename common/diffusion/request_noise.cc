// See the header.
#include "common/diffusion/request_noise.h"

#include <ATen/CPUGeneratorImpl.h>

namespace ip2p {

NoiseGenerator::NoiseGenerator(uint64_t seed, torch::Device device)
    : generator_(at::detail::createCPUGenerator(seed)), device_(device) {}

torch::Tensor NoiseGenerator::Draw(at::IntArrayRef shape) {
  return at::randn(shape, generator_, at::TensorOptions(at::kCPU).dtype(at::kFloat)).to(device_);
}

double NoiseGenerator::DrawUniform() {
  return at::rand({}, generator_, at::TensorOptions(at::kCPU).dtype(at::kFloat)).item<float>();
}

}  // namespace ip2p
