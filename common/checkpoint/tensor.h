// Named tensors as they lie in a file: no torch here, only bytes with a type and a shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ip2p {

enum class DType { kFloat64, kFloat32, kFloat16, kBFloat16, kInt64, kInt32, kInt16, kInt8, kUInt8, kBool };

size_t DTypeSize(DType dtype);       // bytes of one element
const char* DTypeName(DType dtype);  // safetensors spelling: "F32", "BF16", ...
std::optional<DType> DTypeFromName(std::string_view name);
bool IsFloat(DType dtype);
// Bytes of a contiguous tensor; nothing when a side is negative or the product overflows.
std::optional<size_t> ByteSize(DType dtype, std::span<const int64_t> shape);
std::string ShapeText(std::span<const int64_t> shape);  // "[320, 4, 3, 3]"

// Row-major, contiguous, aligned to its element. `data` points into `owner` (a mapped file or a buffer),
// which lives as long as the view.
struct TensorView {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

// Ordered by name, so that whatever is written from it is reproducible.
using TensorMap = std::map<std::string, TensorView>;

}  // namespace ip2p
