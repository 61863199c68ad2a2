// A command that asks a running server and can print its answer as JSON.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/status/status.h"
#include "services/cli/channel.h"
#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

// Adds `verb` under `noun`; when it is chosen, `run` is what is done. Flags has `server` and `json`.
template <typename Flags>
CLI::App* AddServerVerb(CLI::App& noun, const char* verb, const char* about,
                        const std::shared_ptr<Flags>& flags, absl::Status (*run)(const Flags&, Console&),
                        Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(verb, about);
  AddServerFlags(*command, flags->server);
  command->add_flag("--json", flags->json, "Print the answer as JSON");
  command->callback([flags, &console, &chosen, run] {
    if (flags->server.address.empty()) throw CLI::RequiredError("--server");
    chosen.run = [flags, &console, run] { return run(*flags, console); };
  });
  return command;
}

}  // namespace ip2p
