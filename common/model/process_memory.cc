// See process_memory.h. Linux only; elsewhere /proc/self/maps is absent and nothing is released.
#include "common/model/process_memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

// gperftools' C interface; null in programs without its tcmalloc.
extern "C" void MallocExtension_ReleaseFreeMemory() __attribute__((weak));

namespace ip2p {

ReadOnlyFileMappings::ReadOnlyFileMappings() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char rights[5] = {};
    unsigned long inode = 0;
    const int fields =
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &begin, &end, rights, &inode);
    if (fields == 4 && rights[0] == 'r' && rights[1] == '-' && inode != 0) ranges_.emplace_back(begin, end);
  }
}

bool ReadOnlyFileMappings::Contains(uintptr_t begin, uintptr_t end) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [=](const auto& range) { return range.first <= begin && end <= range.second; });
}

void ReadOnlyFileMappings::Release(std::span<const std::byte> bytes) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + bytes.size()) / page * page;
  if (begin >= end || !Contains(begin, end)) return;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void ReadOnlyFileMappings::Populate(std::span<const std::byte> bytes) const {
#ifdef MADV_POPULATE_READ
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = address / page * page;
  const uintptr_t end = address + bytes.size();
  if (begin >= end || !Contains(begin, end)) return;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
#endif
}

void TrimHeap() {
  if (MallocExtension_ReleaseFreeMemory != nullptr) MallocExtension_ReleaseFreeMemory();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace ip2p
