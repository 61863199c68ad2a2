// The world around a command: its streams and Ctrl-C. Injected, so that tests run commands without a
// terminal.
#pragma once

#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "services/cli/cancellation.h"
#include "services/cli/torch_program.h"
#include "services/cli/torch_verbs.h"

namespace ip2p {

struct Console {
  std::istream& in;
  std::ostream& out;      // data
  std::ostream& err;      // progress and faults
  bool terminal = false;  // err is one: progress is a bar
  int columns = 80;       // of the terminal
  bool unicode = true;    // it shows UTF-8
  const Clock* clock = Clock::Real();
  Cancellation& cancellation;
  const TorchVerbs* torch = nullptr;  // null: a command that needs it calls become_torch
  std::function<absl::Status(const std::vector<std::string>& args)> become_torch = BecomeTorchProgram;
};

}  // namespace ip2p
