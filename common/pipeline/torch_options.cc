// See torch_options.h.
#include "common/pipeline/torch_options.h"

#include <torch/cuda.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/pipeline/catch_torch.h"

namespace ip2p {

Precision ChoosePrecision(Precision asked, torch::Device device) {
  if (asked != Precision::kAuto) return asked;
  if (device.is_cuda()) return Precision::kFloat16;
#if defined(__x86_64__)
  // bf16 halves memory everywhere, but is only faster where dot products of it are in hardware.
  if (__builtin_cpu_supports("avx512bf16")) return Precision::kBFloat16;
#endif
  return Precision::kFloat32;
}

torch::ScalarType DtypeOf(Precision precision) {
  switch (precision) {
    case Precision::kBFloat16:
      return torch::kBFloat16;
    case Precision::kFloat16:
      return torch::kFloat16;
    default:
      return torch::kFloat32;
  }
}

void HoldPrecision(Precision precision, torch::Device device) {
  if (precision == Precision::kFloat32 && device.is_cuda()) at::globalContext().setAllowTF32CuDNN(false);
}

absl::StatusOr<torch::Device> ParseDevice(const std::string& name) {
  if (name == "cpu") return torch::Device(torch::kCPU);
  const absl::Status bad =
      absl::InvalidArgumentError(absl::StrFormat("device is \"%s\"; wants cpu or cuda:N", name));
  if (name.rfind("cuda", 0) != 0) return bad;
  absl::StatusOr<torch::Device> device = CatchTorch("device", [&] { return torch::Device(name); });
  if (!device.ok()) return bad;
  const int found = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (std::max<int>(device->index(), 0) >= found) {
    return absl::FailedPreconditionError(
        absl::StrFormat("device is %s; found %d CUDA devices in this build of LibTorch", name, found));
  }
  return device;
}

}  // namespace ip2p
