// What the process tells the shell. Kept for ever: scripts and job controllers depend on them.
#pragma once

#include "absl/status/status.h"

namespace ip2p {

enum ExitCode : int {
  kExitOk = 0,
  kExitInternal = 1,      // a fault of ours or of the server
  kExitUsage = 2,         // wrong flags; nothing was done
  kExitBadInput = 42,     // the picture, text or model is at fault; trying again changes nothing
  kExitUnavailable = 69,  // no server there
  kExitTemporary = 75,    // queue full, out of time: try again later
  kExitDenied = 77,       // token missing or wrong
  kExitCancelled = 130,   // Ctrl-C
};

ExitCode ExitCodeOf(const absl::Status& status);

// The table for --help.
const char* ExitCodesHelp();

}  // namespace ip2p
