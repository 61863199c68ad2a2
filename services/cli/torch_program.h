// ip2p-torch, the program that `ip2p` becomes for commands that need torch in this process.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ip2p {

// Replaces this process by ip2p-torch with the same arguments (without the program's name), streams and
// process id: the file that IP2P_TORCH_PROGRAM names, else the one beside this program. Returns only when
// that can't be done: FAILED_PRECONDITION. Nothing may be read from standard input before.
absl::Status BecomeTorchProgram(const std::vector<std::string>& args);

}  // namespace ip2p
