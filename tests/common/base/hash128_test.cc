#include "common/base/hash128.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace ip2p {
namespace {

// The authors' test vectors (vectors_sip128 of the reference implementation): key 00 01 .. 0f, message 00 01
// .. n-1.
TEST(Hash128Test, AuthorsVectors) {
  const Hash128 key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string message;
  EXPECT_EQ(HashText(message, key), (Hash128{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  message += '\x00';
  EXPECT_EQ(HashText(message, key), (Hash128{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(Hash128Test, EveryLengthAndByteCounts) {
  std::set<Hash128> seen;
  for (size_t length = 0; length < 40; ++length) {
    EXPECT_TRUE(seen.insert(HashText(std::string(length, 'a'))).second) << length;
    EXPECT_TRUE(seen.insert(HashText(std::string(length, 'a') + "b")).second) << length;
  }
  EXPECT_NE(HashText("a"), HashText("a", {1, 0}));
}

}  // namespace
}  // namespace ip2p
