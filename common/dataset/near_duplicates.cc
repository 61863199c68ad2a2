#include "common/dataset/near_duplicates.h"

#include <bit>

namespace ip2p {
namespace {

uint64_t Quarter(const PairHash& hash, int quarter) {
  const uint64_t half = quarter < 2 ? hash.before : hash.after;
  const uint64_t bits = quarter % 2 == 0 ? half >> 32 : half & 0xffffffffU;
  return static_cast<uint64_t>(quarter) << 32 | bits;
}

}  // namespace

int Distance(const PairHash& a, const PairHash& b) {
  return std::popcount(a.before ^ b.before) + std::popcount(a.after ^ b.after);
}

std::optional<int64_t> NearDuplicates::Add(const PairHash& hash) {
  std::optional<int64_t> found;
  const auto position = static_cast<uint32_t>(hashes_.size());
  hashes_.push_back(hash);
  for (int quarter = 0; quarter < kQuarters; ++quarter) {
    std::vector<uint32_t>& like = quarters_[Quarter(hash, quarter)];
    for (size_t i = 0; i < like.size() && !found.has_value(); ++i) {
      if (Distance(hashes_[like[i]], hash) <= kMaxDistance) found = like[i];
    }
    if (like.size() < kMaxCompared) like.push_back(position);
  }
  return found;
}

}  // namespace ip2p
