#include "common/training/moments8.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace ip2p {
namespace {

using Block = std::vector<float>;

// Values over five decades.
Block MakeBlock(bool is_signed) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Block block(kMomentBlock);
  for (int i = 0; i < kMomentBlock; ++i) {
    block[i] = normal(random) * std::pow(10.0F, static_cast<float>(-(i % 4)));
    if (!is_signed) block[i] = block[i] * block[i];
  }
  return block;
}

TEST(Moments8, EachIsNearAndTheMeanIsKept) {
  for (const bool is_signed : {true, false}) {
    const Block values = MakeBlock(is_signed);
    const auto encode = is_signed ? EncodeSigned : EncodeUnsigned;
    const auto decode = is_signed ? DecodeSigned : DecodeUnsigned;
    std::vector<uint8_t> codes(kMomentBlock);
    Block back(kMomentBlock);
    std::vector<double> sum(kMomentBlock);
    constexpr int kTimes = 4000;
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::fabs(value));
    for (int time = 0; time < kTimes; ++time) {
      const float scale = encode(values.data(), time * 7919U, codes.data());
      EXPECT_EQ(scale, largest);
      decode(codes.data(), scale, back.data());
      for (int i = 0; i < kMomentBlock; ++i) {
        sum[i] += back[i];
        if (std::fabs(values[i]) < largest * 0x1p-14F) continue;
        ASSERT_LE(std::fabs(back[i] - values[i]), 0.126F * std::fabs(values[i])) << i;
      }
    }
    for (int i = 0; i < kMomentBlock; ++i) {
      if (std::fabs(values[i]) < largest * 0x1p-14F) continue;
      EXPECT_NEAR(sum[i] / kTimes / values[i], 1, 0.01) << i;  // 4 standard errors of a step of 12 %
    }
  }
}

TEST(Moments8, ZerosStay) {
  const Block zeros(kMomentBlock, 0.0F);
  std::vector<uint8_t> codes(kMomentBlock, 77);
  Block back(kMomentBlock, 5);
  DecodeSigned(codes.data(), EncodeSigned(zeros.data(), 3, codes.data()), back.data());
  EXPECT_EQ(back, zeros);
  DecodeUnsigned(codes.data(), EncodeUnsigned(zeros.data(), 3, codes.data()), back.data());
  EXPECT_EQ(back, zeros);
}

// A second moment that is tiny beside its neighbours stays one: its root divides.
TEST(Moments8, TheSecondIsNeverNothing) {
  Block values(kMomentBlock, 1e-30F);
  values[0] = 1;
  std::vector<uint8_t> codes(kMomentBlock);
  Block back(kMomentBlock);
  DecodeUnsigned(codes.data(), EncodeUnsigned(values.data(), 3, codes.data()), back.data());
  EXPECT_EQ(back[0], 1);
  for (int i = 1; i < kMomentBlock; ++i) EXPECT_EQ(back[i], 0x1p-31F);
}

TEST(Moments8, ChanceFollowsFromTheSeed) {
  const Block values = MakeBlock(true);
  std::vector<uint8_t> a(kMomentBlock), b(kMomentBlock), c(kMomentBlock);
  EncodeSigned(values.data(), 5, a.data());
  EncodeSigned(values.data(), 5, b.data());
  EncodeSigned(values.data(), 6, c.data());
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace ip2p
