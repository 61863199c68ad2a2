// One function a noun: adds its commands and their flags to the app.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "services/cli/console.h"

namespace ip2p {

// What a chosen command leaves behind. Flags are parsed before anything runs, so a command only sets `run`.
struct Chosen {
  std::function<absl::Status()> run;
  bool needs_torch = false;  // `run` asks Console::torch; without it, the process becomes ip2p-torch first
};

// Each keeps its flags' variables alive as long as `app`.
void AddEditCommand(CLI::App& app, Console& console, Chosen& chosen);
void AddModelCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddVocabularyCommand(CLI::App& noun, Console& console, Chosen& chosen);  // a verb of `model`
void AddPromptsCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddPairsCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddDatasetCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddTrainCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddEvaluateCommand(CLI::App& app, Console& console, Chosen& chosen);
void AddPlanCommand(CLI::App& app, Console& console, Chosen& chosen);
void AddShapesCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddStoreCommands(CLI::App& app, Console& console, Chosen& chosen);
void AddServerCommands(CLI::App& app, Console& console, Chosen& chosen);

}  // namespace ip2p
