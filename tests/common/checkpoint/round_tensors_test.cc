// Rounding of weights. Every half and a sample of floats are compared with torch in
// tests/parity/test_checkpoints.py.
#include "common/checkpoint/round_tensors.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace ip2p {
namespace {

using testing::HasSubstr;

TensorView Floats(const std::vector<float>& values) {
  const auto owner = std::make_shared<std::vector<float>>(values);
  return {.dtype = DType::kFloat32,
          .shape = {static_cast<int64_t>(values.size())},
          .data = std::as_bytes(std::span<const float>(*owner)),
          .owner = owner};
}

std::vector<uint16_t> Bits(const TensorView& view) {
  std::vector<uint16_t> bits(view.data.size() / 2);
  std::memcpy(bits.data(), view.data.data(), view.data.size());
  return bits;
}

std::vector<uint16_t> RoundedTo(DType dtype, const std::vector<float>& values) {
  const auto rounded = RoundTensors({{"w", Floats(values)}}, dtype);
  EXPECT_TRUE(rounded.ok()) << rounded.status();
  return Bits(rounded->at("w"));
}

TEST(RoundTensors, TiesGoToEven) {
  // 1 + 2^-11 lies between two halves, 1 + 2^-8 between two bf16 numbers; so do those three times as far.
  EXPECT_THAT(RoundedTo(DType::kFloat16, {1 + 0x1p-11F, 1 + 3 * 0x1p-11F, -1}),
              testing::ElementsAre(0x3c00, 0x3c02, 0xbc00));
  EXPECT_THAT(RoundedTo(DType::kBFloat16, {1 + 0x1p-8F, 1 + 3 * 0x1p-8F, -1}),
              testing::ElementsAre(0x3f80, 0x3f82, 0xbf80));
}

TEST(RoundTensors, SmallLargeAndNoNumbers) {
  EXPECT_THAT(RoundedTo(DType::kFloat16, {0x1p-24F, 0x1p-26F, 65504, INFINITY, -0.0F}),
              testing::ElementsAre(0x0001, 0x0000, 0x7bff, 0x7c00, 0x8000));
  EXPECT_EQ(RoundedTo(DType::kFloat16, {NAN})[0] & 0x7e00, 0x7e00);
  EXPECT_EQ(RoundedTo(DType::kBFloat16, {NAN})[0] & 0x7fc0, 0x7fc0);
}

// Every half survives the way to float32 and back.
TEST(RoundTensors, FloatsHoldEveryHalf) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    const auto halves = std::make_shared<std::vector<uint16_t>>();
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const uint32_t exponent = dtype == DType::kFloat16 ? 0x7c00 : 0x7f80;
      if ((bits & exponent) != exponent) halves->push_back(static_cast<uint16_t>(bits));
    }
    const TensorView view{.dtype = dtype,
                          .shape = {static_cast<int64_t>(halves->size())},
                          .data = std::as_bytes(std::span<const uint16_t>(*halves)),
                          .owner = halves};
    const auto wide = RoundTensors({{"w", view}}, DType::kFloat32);
    ASSERT_TRUE(wide.ok()) << wide.status();
    EXPECT_EQ(wide->at("w").dtype, DType::kFloat32);
    const auto back = RoundTensors(*wide, dtype);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(Bits(back->at("w")), *halves);
  }
}

TEST(RoundTensors, WhatDoesNotFitIsNamed) {
  const auto rounded = RoundTensors({{"unet.conv_in.weight", Floats({1, 65520})}}, DType::kFloat16);
  EXPECT_EQ(rounded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(rounded.status().message(), HasSubstr("unet.conv_in.weight holds 65520; F16"));
}

TEST(RoundTensors, WhatIsOfThatTypeOrNoFloatStaysAView) {
  const TensorView floats = Floats({1, 2});
  TensorView counter = floats;
  counter.dtype = DType::kInt32;
  const auto same = RoundTensors({{"a", floats}, {"b", counter}}, DType::kFloat32);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->at("a").data.data(), floats.data.data());
  EXPECT_EQ(same->at("b").dtype, DType::kInt32);
}

}  // namespace
}  // namespace ip2p
