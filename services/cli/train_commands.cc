// `ip2p train`: what can be asked of a training coordinator, and curves of runs on this machine.
#include "services/cli/train_commands.h"

namespace ip2p {

void AddTrainCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("train", "Start, watch, stop and resume training on a coordinator");
  noun->require_subcommand(1);
  AddTrainStart(*noun, console, chosen);
  AddTrainJobs(*noun, console, chosen);
  AddTrainWatch(*noun, console, chosen);
  AddTrainLogs(*noun, console, chosen);
  AddTrainMoves(*noun, console, chosen);
  AddTrainCheckpoints(*noun, console, chosen);
  AddTrainPlot(*noun, console, chosen);
}

}  // namespace ip2p
