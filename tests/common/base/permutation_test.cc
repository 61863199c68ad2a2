// The seeded order and its shares.
#include "common/base/permutation.h"

#include <vector>

#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(PermutationTest, IsOneToOneAtEverySize) {
  for (const int64_t size : {1, 2, 3, 4, 5, 16, 17, 1000, 4096, 65537}) {
    const Permutation order(size, 42);
    std::vector<bool> seen(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = order.At(i);
      ASSERT_TRUE(at >= 0 && at < size);
      ASSERT_FALSE(seen[static_cast<size_t>(at)]) << size;
      seen[static_cast<size_t>(at)] = true;
    }
  }
}

TEST(PermutationTest, DependsOnTheSeedAndMixes) {
  const Permutation one(10'000, 1), two(10'000, 2);
  int fixed = 0, same = 0;
  for (int64_t i = 0; i < 10'000; ++i) {
    fixed += one.At(i) == i ? 1 : 0;
    same += one.At(i) == two.At(i) ? 1 : 0;
  }
  EXPECT_LT(fixed, 10);  // one is expected of a random permutation
  EXPECT_LT(same, 10);
}

TEST(ShareTest, AsNumpyArraySplit) {
  // [len(a) for a in numpy.array_split(range(10), 4)] == [3, 3, 2, 2]
  const int64_t lengths[] = {3, 3, 2, 2};
  int64_t next = 0;
  for (int64_t p = 0; p < 4; ++p) {
    const Share share = ShareOf(10, 4, p);
    EXPECT_EQ(share.begin, next);
    EXPECT_EQ(share.end - share.begin, lengths[p]);
    next = share.end;
  }
  EXPECT_EQ(ShareOf(2, 5, 4).begin, ShareOf(2, 5, 4).end);
}

}  // namespace
}  // namespace ip2p
