// The command line as a whole: `ip2p NOUN VERB`, flags over IP2P_* variables over a file.
#pragma once

#include <string>
#include <vector>

#include "services/cli/console.h"

namespace ip2p {

// `args` without the program's name. Returns the exit code (exit_codes.h). One call at a time.
int RunCli(const std::vector<std::string>& args, Console& console);

}  // namespace ip2p
