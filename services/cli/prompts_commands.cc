// `ip2p prompts`: from captions to edit instructions.
#include "services/cli/prompts_commands.h"

namespace ip2p {

void AddPromptsCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("prompts", "Captions to edit instructions");
  noun->require_subcommand(1);
  AddPromptsGenerate(*noun, console, chosen);
  AddPromptsFinetune(*noun, console, chosen);
  AddPromptsPrepare(*noun, console, chosen);
  AddPromptsStats(*noun, console, chosen);
}

}  // namespace ip2p
