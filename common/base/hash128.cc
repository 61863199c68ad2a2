// After Aumasson and Bernstein, "SipHash: a fast short-input PRF", and the authors' 128-bit variant.
#include "common/base/hash128.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace ip2p {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void Absorb(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }

  uint64_t Squeeze() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Hash128 HashText(std::string_view text, const Hash128& key) {
  State state{key.low ^ 0x736f6d6570736575, key.high ^ 0x646f72616e646f6d ^ 0xee,
              key.low ^ 0x6c7967656e657261, key.high ^ 0x7465646279746573};
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;  // little-endian, as all machines that this runs on
    std::memcpy(&word, text.data() + at, 8);
    state.Absorb(word);
  }
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  for (size_t k = 0; at + k < text.size(); ++k) {
    last |= static_cast<uint64_t>(static_cast<uint8_t>(text[at + k])) << (8 * k);
  }
  state.Absorb(last);
  state.v2 ^= 0xee;
  Hash128 hash;
  hash.low = state.Squeeze();
  state.v1 ^= 0xdd;
  hash.high = state.Squeeze();
  return hash;
}

}  // namespace ip2p
