#include "common/checkpoint/finite_check.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p {
namespace {

// A float is NaN or infinite when its exponent is all ones. Without a branch in the loop the compiler
// vectorises it.
template <typename Word>
bool NoneHasExponent(std::span<const std::byte> data, Word exponent) {
  const Word* words = reinterpret_cast<const Word*>(data.data());
  const size_t count = data.size() / sizeof(Word);
  constexpr size_t kChunk = 1 << 16;  // so that a bad tensor is noticed early
  for (size_t begin = 0; begin < count; begin += kChunk) {
    const size_t end = begin + kChunk < count ? begin + kChunk : count;
    Word bad = 0;
    for (size_t i = begin; i < end; ++i) bad |= (words[i] & exponent) == exponent ? Word{1} : Word{0};
    if (bad != 0) return false;
  }
  return true;
}

}  // namespace

bool AllFinite(DType dtype, std::span<const std::byte> data) {
  switch (dtype) {
    case DType::kFloat64:
      return NoneHasExponent<uint64_t>(data, 0x7ff0000000000000);
    case DType::kFloat32:
      return NoneHasExponent<uint32_t>(data, 0x7f800000);
    case DType::kFloat16:
      return NoneHasExponent<uint16_t>(data, 0x7c00);
    case DType::kBFloat16:
      return NoneHasExponent<uint16_t>(data, 0x7f80);
    default:
      return true;
  }
}

absl::Status CheckFinite(const ModelSource& source) {
  constexpr size_t kNamed = 10;
  std::vector<std::string> names;
  size_t count = 0;
  auto look = [&](const char* part, const TensorMap& tensors) {
    for (const auto& [name, view] : tensors) {
      if (AllFinite(view.dtype, view.data)) continue;
      if (++count <= kNamed) names.push_back(absl::StrCat(part, ".", name));
    }
  };
  look("unet", source.unet);
  look("vae", source.vae);
  look("text_encoder", source.text_encoder);
  if (count == 0) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the model has weights that are not finite numbers: ", absl::StrJoin(names, ", "),
                   count > kNamed ? absl::StrCat(", and ", count - kNamed, " more") : ""));
}

}  // namespace ip2p
