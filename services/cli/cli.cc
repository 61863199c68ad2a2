// Builds the app, applies the settings file and the environment, parses, runs, and turns the outcome into a
// code.
#include "services/cli/cli.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "services/cli/commands.h"
#include "services/cli/exit_codes.h"
#include "services/cli/settings_file.h"

namespace ip2p {
namespace {

constexpr const char* kAbout =
    "ip2p edits photos by instruction: in this process with --ckpt, or on a server with --server.\n"
    "ip2p prompts turns captions into edit instructions, the first stage of a training set,\n"
    "and ip2p pairs those into image pairs, the second; ip2p train trains on them, on a coordinator, and\n"
    "ip2p evaluate measures the model.\n"
    "A flag wins over its IP2P_* variable, which wins over the settings file (--config FILE, JSON).";

// CLI11 wants the arguments last first.
std::vector<std::string> Reversed(std::vector<std::string> args) {
  std::reverse(args.begin(), args.end());
  return args;
}

// The inner message names what was found and wanted; this adds what to do about it.
void Explain(const absl::Status& status, std::ostream& err) {
  err << "ip2p: " << status.message() << "\n";
  if (const std::optional<absl::Duration> delay = RetryAfter(status)) {
    err << "ip2p: try again in " << absl::FormatDuration(*delay) << "\n";
  }
}

}  // namespace

int RunCli(const std::vector<std::string>& args, Console& console) {
  CLI::App app(kAbout, "ip2p");
  app.footer(ExitCodesHelp());
  app.require_subcommand(1);
  app.set_version_flag("--version", "ip2p " IP2P_VERSION);
  std::string config;
  app.add_option("--config", config, "JSON file of settings: {\"edit\": {\"steps\": 20}, ...}")
      ->envname("IP2P_CONFIG");
  Chosen chosen;
  AddEditCommand(app, console, chosen);
  AddModelCommands(app, console, chosen);
  AddPromptsCommands(app, console, chosen);
  AddPairsCommands(app, console, chosen);
  AddDatasetCommands(app, console, chosen);
  AddTrainCommands(app, console, chosen);
  AddEvaluateCommand(app, console, chosen);
  AddPlanCommand(app, console, chosen);
  AddShapesCommands(app, console, chosen);
  AddStoreCommands(app, console, chosen);
  AddServerCommands(app, console, chosen);
  NameVariables(app);
  if (const absl::Status status = ApplySettingsFile(app, SettingsFileOf(args)); !status.ok()) {
    Explain(status, console.err);
    return kExitUsage;
  }
  try {
    app.parse(Reversed(args));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, console.out, console.err) == 0 ? kExitOk : kExitUsage;
  }
  const bool elsewhere = chosen.needs_torch && console.torch == nullptr;
  const absl::Status status = elsewhere ? console.become_torch(args) : chosen.run();
  if (!status.ok()) Explain(status, console.err);
  return ExitCodeOf(status);
}

}  // namespace ip2p
