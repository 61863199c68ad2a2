// Against the standard's own examples (FIPS 180-4), whole and in pieces.
#include "common/base/sha256.h"

#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(Sha256, EqualsTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesMakeAWhole) {
  Sha256 digest;
  for (const char c : std::string("abc")) digest.Update(std::string_view(&c, 1));
  digest.Update("");
  EXPECT_EQ(digest.Finish(), Sha256Hex("abc"));
}

}  // namespace
}  // namespace ip2p
