// `ip2p dataset`: what can be done with a dataset on this machine.
#include "services/cli/dataset_commands.h"

#include "services/cli/dataset_refilter.h"

namespace ip2p {

void AddDatasetCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("dataset", "Index, judge, pack and convert datasets of image pairs");
  noun->require_subcommand(1);
  AddDatasetPrepare(*noun, console, chosen);
  AddDatasetStats(*noun, console, chosen);
  AddDatasetCheck(*noun, console, chosen);
  AddDatasetRefilter(*noun, console, chosen);
  AddDatasetPack(*noun, console, chosen);
  AddDatasetUnpack(*noun, console, chosen);
  AddDatasetImport(*noun, console, chosen);
  AddDatasetMerge(*noun, console, chosen);
  AddDatasetExport(*noun, console, chosen);
}

}  // namespace ip2p
