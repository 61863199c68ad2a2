// SipHash-2-4 with 128 bits of output: names texts by 16 bytes. With a key that nobody knows, nobody can make
// two texts collide. Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace ip2p {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;  // NOLINT(modernize-use-nullptr)
};

// A zero key gives the same hash in every process, for fingerprints.
Hash128 HashText(std::string_view text, const Hash128& key = {});

}  // namespace ip2p
