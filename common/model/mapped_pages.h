// Gives back the memory of mapped file pages that have been read, so that a loaded model is not held twice.
// No torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ip2p {

// The read-only file mappings of this process when constructed. Immutable, thread-safe.
class ReadOnlyFileMappings {
 public:
  ReadOnlyFileMappings();

  // Drops the whole pages of `bytes` from this process when they lie in such a mapping: they stay in the page
  // cache and come back when touched. Anything else (a heap buffer, a writable mapping) is left alone.
  void Release(std::span<const std::byte> bytes) const;

 private:
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges_;  // [begin,end)
};

}  // namespace ip2p
