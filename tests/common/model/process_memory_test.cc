// Released pages must come back with the file's bytes, and nothing but read-only file mappings may be
// touched.
#include "common/model/process_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
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

long ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  long all = 0, resident = 0;
  statm >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(TrimHeap, FreePagesGoBackToTheSystem) {
  constexpr long kMegabyte = 1 << 20;
  std::vector<std::vector<char>> blocks;  // of a size that glibc keeps in its heap
  for (int i = 0; i < 1024; ++i) blocks.emplace_back(64 << 10, 'x');
  const auto above = std::make_unique<char[]>(64 << 10);  // the heap's free end would go by itself
  const long full = ResidentBytes();
  blocks.clear();
  EXPECT_GT(ResidentBytes(), full - 8 * kMegabyte) << "the heap keeps what is freed";
  TrimHeap();
  EXPECT_LT(ResidentBytes(), full - 56 * kMegabyte);
}

#endif

}  // namespace
}  // namespace ip2p
