// `ip2p train plot`: curves of runs on this machine, side by side; no server is asked.
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/plot/png_chart.h"
#include "common/plot/svg_chart.h"
#include "services/cli/files.h"
#include "services/cli/run_curves.h"
#include "services/cli/train_commands.h"

namespace ip2p {
namespace {

constexpr int kColumns = 2;  // of panels

struct PlotFlags {
  std::vector<std::string> runs;
  std::string output;
  bool json = false;
};

// Of several runs of one name, the whole paths tell which is which.
void TellApart(const std::vector<std::string>& paths, std::vector<RunCurves>& runs) {
  for (size_t i = 0; i < runs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (runs[i].name != runs[j].name) continue;
      runs[i].name = paths[i];
      runs[j].name = paths[j];
    }
  }
}

absl::Status Plot(const PlotFlags& flags, Console& console) {
  std::vector<RunCurves> runs;
  for (const std::string& path : flags.runs) {
    IP2P_ASSIGN_OR_RETURN(RunCurves run, ReadRunCurves(path));
    runs.push_back(std::move(run));
  }
  TellApart(flags.runs, runs);
  const std::vector<Panel> panels = CurvePanels(runs);
  std::string chart = SvgOf(panels, kColumns);
  if (absl::EndsWithIgnoreCase(flags.output, ".png")) {
    IP2P_ASSIGN_OR_RETURN(chart, PngOf(panels, kColumns));
  }
  if (!flags.output.empty()) IP2P_RETURN_IF_ERROR(WriteOutput(flags.output, chart, console.out));
  if (flags.json) console.out << CurvesJson(runs);
  return absl::OkStatus();
}

void Judge(const PlotFlags& flags) {
  const std::string& output = flags.output;
  if (output.empty() && !flags.json) throw CLI::RequiredError("--output or --json");
  if (output == "-" && flags.json) {
    throw CLI::ValidationError("--json", "both it and the chart go to standard output; wants --output FILE");
  }
  if (!output.empty() && output != "-" && !absl::EndsWithIgnoreCase(output, ".svg") &&
      !absl::EndsWithIgnoreCase(output, ".png")) {
    throw CLI::ValidationError(
        "--output", absl::StrCat(output,
                                 " is no chart; wants a name that ends in .svg or .png, or - for SVG on "
                                 "standard output"));
  }
  if (flags.runs.size() > kChartColors) {
    throw CLI::ValidationError(
        "runs", absl::StrCat("are ", flags.runs.size(), "; wants 1..", kChartColors, ", a colour each"));
  }
}

}  // namespace

void AddTrainPlot(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command =
      noun.add_subcommand("plot", "Draw the loss and validation curves of runs on this machine");
  const auto flags = std::make_shared<PlotFlags>();
  command->add_option("runs", flags->runs, "Folders of runs: a worker's --run-dir, a coordinator's jobs/ID")
      ->required();
  command->add_option("-o,--output", flags->output, "Chart, .svg or .png; - for SVG on standard output");
  command->add_flag("--json", flags->json, "Print the curves as JSON");
  command->callback([flags, &console, &chosen] {
    Judge(*flags);
    chosen.run = [flags, &console] { return Plot(*flags, console); };
  });
}

}  // namespace ip2p
