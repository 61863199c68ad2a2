// One thread's memory for the fused attention. Throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "common/model/kernels/flash_layout.h"

namespace ip2p::kernels {

class FlashMemory {
 public:
  explicit FlashMemory(const FlashShape& shape) {
    const int64_t operand = kTileBf16 * sizeof(Bf16), sums = kTileFloats * sizeof(float);
    const int64_t keys = shape.key_tiles() * shape.depth_steps() * operand;
    const int64_t values = shape.key_steps() * shape.value_tiles() * operand;
    const int64_t queries = shape.depth_steps() * kQueryTiles * operand;
    const int64_t weights = kBlockSteps * kQueryTiles * operand;
    const int64_t scores = kBlockTiles * kQueryTiles * sums;
    const int64_t outputs = shape.value_tiles() * kQueryTiles * sums;
    memory_.reset(static_cast<std::byte*>(
        ::operator new(static_cast<size_t>(keys + values + queries + weights + scores + outputs),
                       std::align_val_t(kAlignment))));
    std::byte* next = memory_.get();
    auto take = [&next](int64_t bytes) { return std::exchange(next, next + bytes); };
    work_.keys = reinterpret_cast<Bf16*>(take(keys));
    work_.values = reinterpret_cast<Bf16*>(take(values));
    work_.queries = reinterpret_cast<Bf16*>(take(queries));
    work_.weights = reinterpret_cast<Bf16*>(take(weights));
    work_.scores = reinterpret_cast<float*>(take(scores));
    work_.outputs = reinterpret_cast<float*>(take(outputs));
  }

  const FlashWorkspace& workspace() const { return work_; }

 private:
  static constexpr size_t kAlignment = 64;
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  FlashWorkspace work_;
};

}  // namespace ip2p::kernels
