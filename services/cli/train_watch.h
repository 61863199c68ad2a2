// Follows a job on a training coordinator until it ends, over restarts of the coordinator.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/cli/channel.h"
#include "services/cli/console.h"

namespace ip2p {

struct WatchFlags {
  ServerFlags server;
  std::string job;
  bool json = false;
  int interval_ms = 500;
  double reconnect_seconds = 600;
};

// --interval-ms and --reconnect-seconds.
void AddWatchFlags(CLI::App& command, WatchFlags& flags);

// OK: the job succeeded. UNKNOWN: it failed; CANCELLED: it was cancelled, or Ctrl-C ended the watch and left
// it alone. Else what ended the stream for good: NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE (for
// reconnect_seconds, or from the beginning).
absl::Status WatchTraining(const WatchFlags& flags, Console& console);

}  // namespace ip2p
