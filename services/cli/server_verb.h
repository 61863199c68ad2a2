// A command that asks a running server and can print its answer as JSON.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/status/status.h"
#include "services/cli/channel.h"
#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

// Gives the flags of `command` their last word: CLI11 takes variables (IP2P_SERVER) for the verbs beside it
// too, and where verbs share an object of flags, such a value would stand over what was said on the command
// line.
inline void ApplyOwnOptions(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->count() > 0) option->run_callback();
  }
}

// Adds `verb` under `noun`; when it is chosen, `run` is what is done. Flags has `server` and `json`.
template <typename Flags>
CLI::App* AddServerVerb(CLI::App& noun, const char* verb, const char* about,
                        const std::shared_ptr<Flags>& flags, absl::Status (*run)(const Flags&, Console&),
                        Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(verb, about);
  AddServerFlags(*command, flags->server);
  command->add_flag("--json", flags->json, "Print the answer as JSON");
  command->callback([flags, command, &console, &chosen, run] {
    ApplyOwnOptions(*command);
    if (flags->server.address.empty()) throw CLI::RequiredError("--server");
    chosen.run = [flags, &console, run] { return run(*flags, console); };
  });
  return command;
}

}  // namespace ip2p
