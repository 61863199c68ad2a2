// A generation as the client orders it, and the two places where it can happen: in this process or on a
// server.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/prompts/generation_job.h"
#include "common/prompts/providers.h"
#include "services/cli/channel.h"
#include "services/cli/console.h"

namespace ip2p {

struct GenerateTask {
  GenerationOrder order;
  ProviderConfig providers;   // in this process
  ServerFlags server;         // on a server, when it has an address
  std::string captions_file;  // its name in the server's data folder, instead of our own file
  std::string run_name;       // of the server's journal
  bool json = false;
};

// Both tell progress on stderr and, with `json`, the counts on stdout. Ctrl-C ends the run with what is in
// flight settled. Errors: those of GenerationJob; a run that another process works on is no error.
absl::Status GenerateLocally(GenerateTask task, Console& console);
// Writes the accepted prompts to the order's output, if it has one.
absl::Status GenerateRemotely(GenerateTask task, Console& console);

}  // namespace ip2p
