#include "common/checkpoint/tensor_copy.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace ip2p {
namespace {

// operator new aligns to 16, enough for every element.
struct Buffer {
  explicit Buffer(size_t size) : bytes(std::make_shared<std::vector<std::byte>>(size)) {}
  TensorView View(DType dtype, std::vector<int64_t> shape) const {
    return {dtype, std::move(shape), std::span<const std::byte>(*bytes), bytes};
  }
  std::shared_ptr<std::vector<std::byte>> bytes;
};

}  // namespace

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.data.data()) % DTypeSize(view.dtype) == 0;
}

TensorView Copy(const TensorView& view) {
  const Buffer buffer(view.data.size());
  if (!view.data.empty()) std::memcpy(buffer.bytes->data(), view.data.data(), view.data.size());
  return buffer.View(view.dtype, view.shape);
}

TensorView CopyStrided(DType dtype, std::span<const int64_t> shape, std::span<const int64_t> stride,
                       int64_t offset, std::span<const std::byte> storage) {
  const size_t element = DTypeSize(dtype);
  const Buffer buffer(ByteSize(dtype, shape).value_or(0));
  std::vector<int64_t> index(shape.size(), 0);
  int64_t source = offset;
  for (size_t at = 0; at < buffer.bytes->size(); at += element) {
    std::memcpy(buffer.bytes->data() + at, storage.data() + source * static_cast<int64_t>(element), element);
    // The next index, last side fastest.
    for (size_t d = shape.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d]) break;
      source -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return buffer.View(dtype, {shape.begin(), shape.end()});
}

TensorView Concatenate(std::span<const TensorView> views) {
  size_t size = 0;
  std::vector<int64_t> shape = views.front().shape;
  shape[0] = 0;
  for (const TensorView& view : views) {
    size += view.data.size();
    shape[0] += view.shape[0];
  }
  const Buffer buffer(size);
  size_t at = 0;
  for (const TensorView& view : views) {
    if (!view.data.empty()) std::memcpy(buffer.bytes->data() + at, view.data.data(), view.data.size());
    at += view.data.size();
  }
  return buffer.View(views.front().dtype, std::move(shape));
}

}  // namespace ip2p
