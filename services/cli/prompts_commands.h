// The verbs of `ip2p prompts`, one function each: adds its flags to the noun.
#pragma once

#include <CLI/CLI.hpp>

#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

void AddPromptsGenerate(CLI::App& noun, Console& console, Chosen& chosen);
void AddPromptsFinetune(CLI::App& noun, Console& console, Chosen& chosen);
void AddPromptsPrepare(CLI::App& noun, Console& console, Chosen& chosen);
void AddPromptsStats(CLI::App& noun, Console& console, Chosen& chosen);

}  // namespace ip2p
