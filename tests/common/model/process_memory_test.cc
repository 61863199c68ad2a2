// Released pages must come back with the file's bytes, and nothing but read-only file mappings may be
// touched.
#include "common/model/process_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace ip2p {
namespace {

class ReadOnlyFileMappingsTest : public testing::Test {
 protected:
  void SetUp() override {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    file_ = memfd_create("process_memory_test", 0);
    ASSERT_GE(file_, 0);
    const std::vector<char> bytes(8 * page_, 'x');
    ASSERT_EQ(write(file_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void TearDown() override {
    if (map_ != nullptr) munmap(map_, 8 * page_);
    close(file_);
  }
  char* Map(int protection) {
    map_ = mmap(nullptr, 8 * page_, protection, MAP_PRIVATE, file_, 0);
    EXPECT_NE(map_, MAP_FAILED);
    return static_cast<char*>(map_);
  }
  static std::span<const std::byte> Bytes(const char* data, size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
  }
  // Pages of the mapping that this process holds, from its page table.
  size_t Resident(const char* data) const {
    const int pagemap = open("/proc/self/pagemap", 0);
    size_t resident = 0;
    for (size_t i = 0; i < 8; ++i) {
      uint64_t entry = 0;
      const auto index = reinterpret_cast<uintptr_t>(data + i * page_) / page_;
      EXPECT_EQ(pread(pagemap, &entry, sizeof entry, static_cast<off_t>(index * sizeof entry)),
                static_cast<ssize_t>(sizeof entry));
      resident += entry >> 63;
    }
    close(pagemap);
    return resident;
  }
  static bool AllX(const char* data, size_t size) {
    return std::string(data, size) == std::string(size, 'x');
  }

  size_t page_ = 0;
  int file_ = -1;
  void* map_ = nullptr;
};

TEST_F(ReadOnlyFileMappingsTest, DropsWholePagesAndTheyComeBack) {
  const char* data = Map(PROT_READ);
  const ReadOnlyFileMappings mappings;
  ASSERT_TRUE(AllX(data, 8 * page_));
  EXPECT_EQ(Resident(data), 8u);
  mappings.Release(Bytes(data + 1, 4 * page_));  // covers pages 1..3 whole
  EXPECT_EQ(Resident(data), 5u);
  EXPECT_TRUE(AllX(data, 8 * page_));
}

TEST_F(ReadOnlyFileMappingsTest, PopulatesEveryPageItTouches) {
  const char* data = Map(PROT_READ);
  const ReadOnlyFileMappings mappings;
  mappings.Release(Bytes(data, 8 * page_));
  ASSERT_EQ(Resident(data), 0u);
  mappings.Populate(Bytes(data + page_ + 1, page_));  // lies in two pages
  EXPECT_GE(Resident(data), 2u);
  EXPECT_TRUE(AllX(data, 8 * page_));
  mappings.Populate(Bytes(nullptr, page_));  // not of a file: left alone
}

TEST_F(ReadOnlyFileMappingsTest, LeavesWritableMappingsAlone) {
  char* data = Map(PROT_READ | PROT_WRITE);
  std::memset(data, 'y', page_);  // a private copy, which dropping would lose
  const ReadOnlyFileMappings mappings;
  mappings.Release(Bytes(data, 8 * page_));
  EXPECT_EQ(data[0], 'y');
}

TEST_F(ReadOnlyFileMappingsTest, LeavesTheHeapAlone) {
  std::vector<char> heap(64 * page_, 'z');
  const ReadOnlyFileMappings mappings;
  mappings.Release(Bytes(heap.data(), heap.size()));
  EXPECT_EQ(heap, std::vector<char>(64 * page_, 'z'));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these bring allocators of their own

long PageFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Pages that were taken from the system for two blocks, of a kind that glibc gives back at once.
long FaultsOfLargeBlocks() {
  const long before = PageFaults();
  {
    const std::unique_ptr<volatile char[]> one(new char[40 << 20]), other(new char[100 << 20]);
    for (int byte = 0; byte < 40 << 20; byte += 4096) one[byte] = 1;  // one a page
    for (int byte = 0; byte < 100 << 20; byte += 4096) other[byte] = 1;
  }
  return PageFaults() - before;
}

// In a process of its own: there is no way back.
TEST(KeepFreedMemoryDeathTest, LargeBlocksAreTakenFromTheSystemOnceUntilTheHeapIsTrimmed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    KeepFreedMemory();
    long other_thread = 0;
    const long first = FaultsOfLargeBlocks(), second = FaultsOfLargeBlocks();
    std::thread([&] { other_thread = FaultsOfLargeBlocks(); }).join();
    TrimHeap();
    const long trimmed = FaultsOfLargeBlocks();
    std::fprintf(stderr, "%ld %ld %ld %ld\n", first, second, other_thread, trimmed);
    std::_Exit(first > 1000 && second < 100 && other_thread < 100 && trimmed > 1000 ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

#endif

}  // namespace
}  // namespace ip2p
