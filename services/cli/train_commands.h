// The verbs of `ip2p train`, a few a function: adds their flags to the noun.
#pragma once

#include <CLI/CLI.hpp>

#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

void AddTrainStart(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainJobs(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainWatch(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainLogs(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainMoves(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainCheckpoints(CLI::App& noun, Console& console, Chosen& chosen);
void AddTrainPlot(CLI::App& noun, Console& console, Chosen& chosen);

}  // namespace ip2p
