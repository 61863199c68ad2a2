// The time, as an argument: what depends on it can be tested without waiting (tests/fakes/fake_clock.h).
#pragma once

#include "absl/time/time.h"

namespace ip2p {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;  // any thread

  // The system's clock. Never null, lives for ever.
  static const Clock* Real();
};

}  // namespace ip2p
