// Gives memory back to the system that loading has touched and no longer needs, so that a model is not held
// twice. No torch.
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

  // Maps the pages of `bytes` in one call, which is cheaper than a fault every 16 pages, and reads ahead what
  // is not in the page cache. Does nothing for other memory and on kernels before 5.14.
  void Populate(std::span<const std::byte> bytes) const;

 private:
  bool Contains(uintptr_t begin, uintptr_t end) const;

  std::vector<std::pair<uintptr_t, uintptr_t>> ranges_;  // [begin,end)
};

// Returns the free pages inside the heap to the system, that of tcmalloc where a program has it (glibc keeps
// them otherwise: 0.3 GB after loading SD 1.5). Costs milliseconds; thread-safe.
void TrimHeap();

}  // namespace ip2p
