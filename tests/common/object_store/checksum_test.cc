#include "common/object_store/checksum.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kCheck = "123456789";  // whose values the catalogue of CRCs has

template <typename T>
auto ValueOf(std::string_view text) {
  T crc;
  crc.Update(text);
  return crc.value();
}

TEST(ChecksumTest, HasTheValuesOfTheCatalogue) {
  EXPECT_EQ(ValueOf<Crc32>(kCheck), 0xCBF43926u);
  EXPECT_EQ(ValueOf<Crc32c>(kCheck), 0xE3069283u);
  EXPECT_EQ(ValueOf<Crc64Nvme>(kCheck), 0xAE8B14860A799888ull);
  EXPECT_EQ(ValueOf<Crc32>(""), 0u);
}

TEST(ChecksumTest, PiecesOfAnyLengthAreTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text.push_back(static_cast<char>(i * 31));
  for (size_t piece = 1; piece < 20; ++piece) {
    Crc64Nvme nvme;
    Crc32c castagnoli;
    for (size_t at = 0; at < text.size(); at += piece) {
      nvme.Update(std::string_view(text).substr(at, piece));
      castagnoli.Update(std::string_view(text).substr(at, piece));
    }
    EXPECT_EQ(nvme.value(), ValueOf<Crc64Nvme>(text));
    EXPECT_EQ(castagnoli.value(), ValueOf<Crc32c>(text));
  }
}

TEST(ChecksumTest, IsWrittenAsHeadersHaveIt) {
  EXPECT_EQ(ChecksumText(uint32_t{0xE3069283}), "4waSgw==");
  EXPECT_EQ(Base64OfHex("00ff"), "AP8=");
}

absl::Status Verify(const ObjectChecksums& wanted, std::string_view bytes) {
  ChecksumVerifier verifier(wanted);
  verifier.Update(bytes);
  return verifier.Finish();
}

TEST(ChecksumTest, ComparesWithWhateverTheStoreTells) {
  const std::string sha256 = Sha256Hex(kCheck);
  const ObjectChecksums each[] = {{.sha256 = sha256},
                                  {.crc32c = ChecksumText(uint32_t{0xE3069283})},
                                  {.crc32 = ChecksumText(uint32_t{0xCBF43926})},
                                  {.crc64nvme = ChecksumText(uint64_t{0xAE8B14860A799888})}};
  for (const ObjectChecksums& wanted : each) {
    EXPECT_TRUE(Verify(wanted, kCheck).ok());
    const absl::Status wrong = Verify(wanted, "123456780");
    EXPECT_TRUE(absl::IsDataLoss(wrong));
    EXPECT_THAT(std::string(wrong.message()), HasSubstr("; wants "));
  }
  EXPECT_TRUE(Verify({}, kCheck).ok());
  EXPECT_TRUE(absl::IsDataLoss(Verify({.sha256 = sha256, .crc32 = "right?"}, "")));  // the strongest counts
}

}  // namespace
}  // namespace ip2p
