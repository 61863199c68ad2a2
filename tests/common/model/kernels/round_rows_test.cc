// Conversion of weights to bf16: the same bits as torch's.
#include "common/model/kernels/round_rows.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace ip2p::kernels {
namespace {

TEST(RoundRowsTest, EqualsTorchBitForBit) {
  torch::manual_seed(3);
  // Every exponent, both signs, ties (a low half of 0x8000) of either parity among them.
  torch::Tensor bits = torch::randint(std::numeric_limits<int32_t>::min(),
                                      std::numeric_limits<int32_t>::max(), {100003}, torch::kInt64)
                           .to(torch::kInt32);
  bits.narrow(0, 0, 1000).bitwise_and_(static_cast<int64_t>(0xFFFF0000)).bitwise_or_(0x8000);
  torch::Tensor x = bits.view(torch::kFloat32);
  x = torch::where(x.isfinite(), x, torch::zeros_like(x));
  std::vector<Bf16> y(x.numel() + 1, 7);
  RoundRows(x.const_data_ptr<float>(), x.numel(), y.data());
  const torch::Tensor wanted = x.to(torch::kBFloat16);
  const auto* words = static_cast<const Bf16*>(wanted.const_data_ptr());
  EXPECT_TRUE(std::equal(words, words + x.numel(), y.begin()));
  EXPECT_EQ(y.back(), 7) << "wrote past the end";
}

TEST(RoundRowsTest, NotFiniteStaysSo) {
  const uint32_t bits[] = {0x7F800000, 0xFF800000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7F7FFFFF};
  float x[6];
  std::memcpy(x, bits, sizeof x);
  Bf16 y[6];
  RoundRows(x, 6, y);
  EXPECT_EQ(y[0], 0x7F80);
  EXPECT_EQ(y[1], 0xFF80);
  for (int i = 2; i < 5; ++i) EXPECT_TRUE((y[i] & 0x7F80) == 0x7F80 && (y[i] & 0x7F) != 0) << i;
  EXPECT_EQ(y[5], 0x7F80) << "the largest float is out of bf16's range";
}

}  // namespace
}  // namespace ip2p::kernels
