// The world around a command: its streams and Ctrl-C. Injected, so that tests run commands without a
// terminal.
#pragma once

#include <istream>
#include <ostream>

#include "common/base/clock.h"
#include "services/cli/cancellation.h"

namespace ip2p {

struct Console {
  std::istream& in;
  std::ostream& out;      // data
  std::ostream& err;      // progress and faults
  bool terminal = false;  // err is one: progress is a bar
  int columns = 80;       // of the terminal
  const Clock* clock = Clock::Real();
  Cancellation& cancellation;
};

}  // namespace ip2p
