// Replaces the global allocation functions of the program that links it.
#include "tests/common/image/allocation_spy.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> largest_allocation{0};
}  // namespace

void* operator new(size_t size) {
  size_t seen = largest_allocation.load();
  while (size > seen && !largest_allocation.compare_exchange_weak(seen, size)) {
  }
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace ip2p::testing {

AllocationSpy::AllocationSpy() { largest_allocation = 0; }
size_t AllocationSpy::largest() const { return largest_allocation; }

}  // namespace ip2p::testing
