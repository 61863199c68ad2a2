// Finds pairs of images that are nearly the same as earlier ones, among millions. Pure; one thread an object.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ip2p {

// Perceptual hashes of both images (DifferenceHash).
struct PairHash {
  uint64_t before = 0;
  uint64_t after = 0;
};

// Bits in which both differ, 0..128.
int Distance(const PairHash& a, const PairHash& b);

class NearDuplicates {
 public:
  static constexpr int kMaxDistance = 3;  // bits of 128

  // The position (in the order of Add) of an earlier pair within kMaxDistance, or nothing; then it is
  // remembered. Where more than 1000 pairs share a quarter of their bits, the 1000 first are compared.
  std::optional<int64_t> Add(const PairHash& hash);

 private:
  // Two hashes that differ in at most 3 bits agree in one of four quarters.
  static constexpr int kQuarters = 4;
  static constexpr size_t kMaxCompared = 1000;
  std::vector<PairHash> hashes_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> quarters_;  // by number and bits of the quarter
};

}  // namespace ip2p
