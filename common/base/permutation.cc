#include "common/base/permutation.h"

#include <algorithm>

namespace ip2p {
namespace {

constexpr int kRounds = 6;

// The finaliser of SplitMix64.
uint64_t Scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t MixSeed(uint64_t a, uint64_t b, uint64_t c) { return Scramble(Scramble(Scramble(a) ^ b) ^ c); }

Permutation::Permutation(int64_t size, uint64_t seed)
    : size_(static_cast<uint64_t>(std::max<int64_t>(size, 1))), seed_(seed), half_bits_(1) {
  while ((uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
}

uint64_t Permutation::Mix(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_;
  uint64_t right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t next = left ^ (MixSeed(seed_, round, right) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

int64_t Permutation::At(int64_t position) const {
  uint64_t value = Mix(static_cast<uint64_t>(position));
  while (value >= size_) value = Mix(value);
  return static_cast<int64_t>(value);
}

Share ShareOf(int64_t size, int64_t n, int64_t partition) {
  const int64_t each = size / n;
  const int64_t longer = size % n;
  const int64_t begin = partition * each + std::min(partition, longer);
  return {begin, begin + each + (partition < longer ? 1 : 0)};
}

}  // namespace ip2p
