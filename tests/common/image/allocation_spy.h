// Remembers the largest operator new of the test program while it lives. Pixels live in vectors, so it sees
// them.
#pragma once

#include <cstddef>

namespace ip2p::testing {

class AllocationSpy {
 public:
  AllocationSpy();
  size_t largest() const;  // bytes, since construction
};

}  // namespace ip2p::testing
