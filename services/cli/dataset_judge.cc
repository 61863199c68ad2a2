// `ip2p dataset prepare`, `stats` and `check`: a dataset is read, an index, a table or a plot comes out.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_check.h"
#include "common/dataset/dataset_copy.h"
#include "common/dataset/dataset_stats.h"
#include "common/dataset/seeds_file.h"
#include "services/cli/count_progress.h"
#include "services/cli/dataset_commands.h"
#include "services/cli/files.h"

namespace ip2p {
namespace {

struct PrepareFlags {
  std::string dataset;
  ClipThresholds thresholds = kNoThresholds;
};

absl::Status Prepare(const PrepareFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::string dataset, LocalDataset(flags.dataset));
  IP2P_ASSIGN_OR_RETURN(const PreparedSeeds prepared, WriteSeedsFile(dataset, flags.thresholds));
  IP2P_RETURN_IF_ERROR(SendBack(flags.dataset, dataset, "seeds.json"));
  if (prepared.halves > 0) {
    console.err << "warning: " << prepared.halves << " images without their other half are left out\n";
  }
  if (prepared.outside > 0) {
    console.err << "warning: " << prepared.outside << " links that leave the dataset are left out\n";
  }
  if (prepared.below > 0) console.err << prepared.below << " pairs below the thresholds are left out\n";
  console.err << "wrote seeds.json: " << prepared.pairs << " pairs in " << prepared.with_pairs << " of "
              << prepared.folders << " folders\n";
  return absl::OkStatus();
}

struct StatsFlags {
  std::string dataset;
  std::string plot;
  bool json = false;
};

absl::Status WritePlot(const std::string& path, const DatasetStats& stats, std::ostream& out) {
  if (!absl::EndsWithIgnoreCase(path, ".png")) return WriteOutput(path, DatasetStatsSvg(stats), out);
  IP2P_ASSIGN_OR_RETURN(const std::string png, DatasetStatsPng(stats));
  return WriteOutput(path, png, out);
}

absl::Status Stats(const StatsFlags& flags, Console& console) {
  if (!flags.plot.empty() && flags.plot != "-" && !absl::EndsWithIgnoreCase(flags.plot, ".svg") &&
      !absl::EndsWithIgnoreCase(flags.plot, ".png")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "plot is ", flags.plot, "; wants a name that ends in .svg or .png, or - for SVG on standard output"));
  }
  IP2P_ASSIGN_OR_RETURN(const std::string dataset, LocalDataset(flags.dataset));
  DatasetStats stats;
  {
    CountProgress progress(console, "folders");
    IP2P_ASSIGN_OR_RETURN(stats, ReadDatasetStats(dataset, progress.callback()));
  }
  if (!flags.plot.empty()) IP2P_RETURN_IF_ERROR(WritePlot(flags.plot, stats, console.out));
  if (flags.plot == "-") return absl::OkStatus();
  console.out << (flags.json ? DatasetStatsJson(stats) : DatasetStatsText(stats));
  return absl::OkStatus();
}

struct CheckFlags {
  std::string dataset;
  double max_bad = kMaxBadShare;
  int threads = 0;
  bool json = false;
};

absl::Status Check(const CheckFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::string dataset, LocalDataset(flags.dataset));
  CheckReport report;
  {
    CountProgress progress(console, "folders");
    IP2P_ASSIGN_OR_RETURN(report,
                          CheckDataset(dataset, {.threads = flags.threads, .progress = progress.callback()}));
  }
  console.out << (flags.json ? CheckJson(report) : CheckText(report));
  return JudgeDataset(report, flags.max_bad);
}

}  // namespace

void AddDatasetPrepare(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("prepare", "Write seeds.json, which training starts from");
  const auto flags = std::make_shared<PrepareFlags>();
  command->add_option("dataset", flags->dataset, "Folder of the dataset, or s3:// URL")->required();
  const auto least = [command](const char* name, double& threshold, const char* of) {
    command->add_option(name, threshold, absl::StrCat("Leave out pairs with a lower cosine of ", of))
        ->check(CLI::Range(-1.0, 1.0));
  };
  least("--clip-threshold", flags->thresholds.clip, "an image and its caption; the files stay");
  least("--clip-dir-threshold", flags->thresholds.dir, "the images' change and the captions' change");
  least("--clip-img-threshold", flags->thresholds.img, "both images");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Prepare(*flags, console); }; });
}

void AddDatasetStats(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("stats", "Count what was accepted and rejected, and how it scored");
  const auto flags = std::make_shared<StatsFlags>();
  command->add_option("dataset", flags->dataset, "Folder of the dataset, or s3:// URL")->required();
  command->add_option("--plot", flags->plot,
                      "File of the four scores' histograms, .svg or .png; - for SVG on standard output");
  command->add_flag("--json", flags->json, "Print it as JSON");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Stats(*flags, console); }; });
}

void AddDatasetCheck(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(
      "check",
      "Find damaged, missing, identical, swapped and nearly equal images; exit code 42 when too many");
  const auto flags = std::make_shared<CheckFlags>();
  command->add_option("dataset", flags->dataset, "Folder of the dataset, or s3:// URL")->required();
  command->add_option("--max-bad", flags->max_bad, "Share of bad pairs that is accepted")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "Threads; 0: one a core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print it as JSON");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Check(*flags, console); }; });
}

}  // namespace ip2p
