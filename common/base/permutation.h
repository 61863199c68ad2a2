// A seeded order of 0..size-1 that takes no memory, and numpy.array_split's shares of it. Pure functions.
#pragma once

#include <cstdint>

namespace ip2p {

// A Feistel network over the next power of four, walked until it lands inside.
class Permutation {
 public:
  Permutation(int64_t size, uint64_t seed);

  // One to one for position in 0..size-1. Costs about three rounds of hashing on average, a dozen at worst.
  int64_t At(int64_t position) const;

 private:
  uint64_t Mix(uint64_t value) const;

  const uint64_t size_;
  const uint64_t seed_;
  int half_bits_;
};

// Positions begin..end-1.
struct Share {
  int64_t begin = 0;
  int64_t end = 0;
};

// As numpy.array_split: the first size % n shares are one longer. n >= 1, 0 <= partition < n.
Share ShareOf(int64_t size, int64_t n, int64_t partition);

// Well-spread bits from a few numbers, for seeds.
uint64_t MixSeed(uint64_t a, uint64_t b, uint64_t c = 0);

}  // namespace ip2p
