// What every checkpoint fuzz target checks: whatever a reader accepts is whole, aligned and readable to the
// last byte.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

inline std::span<const std::byte> FuzzBytes(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

inline void Check(bool condition) {
  if (!condition) std::abort();
}

inline void CheckReadable(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  volatile unsigned sink = sum;
  static_cast<void>(sink);
}

inline void CheckTensorMap(const TensorMap& tensors) {
  for (const auto& [name, view] : tensors) {
    Check(ByteSize(view.dtype, view.shape) == view.data.size());
    Check(reinterpret_cast<uintptr_t>(view.data.data()) % DTypeSize(view.dtype) == 0);
    CheckReadable(view.data);
  }
}

// A stranger's file is never this program's fault.
inline void CheckRefusal(const absl::Status& status) {
  Check(status.code() == absl::StatusCode::kDataLoss || status.code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace ip2p
