#include "common/checkpoint/round_tensors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

float FromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// IEEE 754 binary16: 5 bits of exponent, 10 of fraction.
float FromHalf(uint16_t bits) {
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

uint16_t ToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t ToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t size = bits & 0x7fffffff;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00);
  if (size >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and more
  if (size < 0x38800000) {
    // Below 2^-14: beside 0.5 a float has the spacing of half's subnormals, so the addition rounds.
    const float shifted = std::bit_cast<float>(size) + 0.5F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
  }
  const uint32_t rebiased = size - (112U << 23);
  return static_cast<uint16_t>(sign | ((rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13));
}

float ElementOf(const TensorView& view, size_t i) {
  const std::byte* at = view.data.data() + i * DTypeSize(view.dtype);
  const auto read = [at]<typename T>(T value) {
    std::memcpy(&value, at, sizeof(value));
    return value;
  };
  switch (view.dtype) {
    case DType::kFloat64:
      return static_cast<float>(read(double{}));
    case DType::kFloat16:
      return FromHalf(read(uint16_t{}));
    case DType::kBFloat16:
      return FromBf16(read(uint16_t{}));
    default:
      return read(float{});
  }
}

absl::StatusOr<TensorView> Rounded(const std::string& name, const TensorView& view, DType dtype) {
  const size_t count = view.data.size() / DTypeSize(view.dtype);
  const auto bytes = std::make_shared<std::vector<std::byte>>(count * DTypeSize(dtype));
  for (size_t i = 0; i < count; ++i) {
    const float value = ElementOf(view, i);
    float kept = value;
    std::byte* to = bytes->data() + i * DTypeSize(dtype);
    if (dtype == DType::kFloat32) {
      std::memcpy(to, &value, sizeof(value));
    } else {
      const uint16_t bits = dtype == DType::kFloat16 ? ToHalf(value) : ToBf16(value);
      kept = dtype == DType::kFloat16 ? FromHalf(bits) : FromBf16(bits);
      std::memcpy(to, &bits, sizeof(bits));
    }
    if (std::isfinite(value) && !std::isfinite(kept)) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " holds ", value, "; ", DTypeName(dtype), " cannot hold numbers of that size"));
    }
  }
  return TensorView{.dtype = dtype, .shape = view.shape, .data = *bytes, .owner = bytes};
}

}  // namespace

absl::StatusOr<TensorMap> RoundTensors(const TensorMap& tensors, DType dtype) {
  TensorMap rounded;
  for (const auto& [name, view] : tensors) {
    if (!IsFloat(view.dtype) || view.dtype == dtype) {
      rounded.emplace(name, view);
      continue;
    }
    IP2P_ASSIGN_OR_RETURN(TensorView made, Rounded(name, view, dtype));
    rounded.emplace(name, std::move(made));
  }
  return rounded;
}

}  // namespace ip2p
