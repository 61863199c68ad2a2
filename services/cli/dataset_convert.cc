// `ip2p dataset pack`, `unpack`, `import`, `merge` and `export`: a dataset in other forms and back.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_copy.h"
#include "common/dataset/export.h"
#include "common/dataset/import.h"
#include "common/dataset/merge.h"
#include "common/dataset/pack.h"
#include "common/dataset/pack_to_store.h"
#include "common/object_store/local_copy.h"
#include "services/cli/count_progress.h"
#include "services/cli/dataset_commands.h"

namespace ip2p {
namespace {

struct ConvertFlags {
  std::string input;
  std::string output;
  int64_t shard_bytes = PackOptions().shard_bytes;
  ImportColumns columns;
  bool json = false;
};

// What is written in many steps is written here first.
absl::Status OnlyFolder(const std::string& output) {
  if (!IsObjectUrl(output)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the output is ", output, "; wants a folder here, which `ip2p store cp` copies there"));
}

absl::Status Pack(const ConvertFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::string input, LocalDataset(flags.input));
  PackReport report;
  {
    CountProgress progress(console, "folders");
    const PackOptions options{.shard_bytes = flags.shard_bytes, .progress = progress.callback()};
    IP2P_ASSIGN_OR_RETURN(report, IsObjectUrl(flags.output) ? PackToStore(input, flags.output, options)
                                                            : PackDataset(input, flags.output, options));
  }
  console.err << "packed " << report.pairs << " pairs of " << report.prompts << " prompts into "
              << report.shards << " shards, " << report.bytes << " bytes\n";
  return absl::OkStatus();
}

absl::Status Unpack(const ConvertFlags& flags, Console& console) {
  IP2P_RETURN_IF_ERROR(OnlyFolder(flags.output));
  IP2P_ASSIGN_OR_RETURN(const std::string input, LocalDataset(flags.input));
  PackReport report;
  {
    CountProgress progress(console, "folders");
    IP2P_ASSIGN_OR_RETURN(report, UnpackDataset(input, flags.output, progress.callback()));
  }
  console.err << "unpacked " << report.pairs << " pairs of " << report.prompts << " prompts\n";
  return absl::OkStatus();
}

absl::Status Import(const ConvertFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::string input, LocalPath(flags.input));
  ImportReport report;
  {
    CountProgress progress(console, "rows");
    IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<ImportSource> source, OpenImportSource(input, flags.columns));
    const ImportOptions options{.progress = [&progress](int64_t rows) { progress.Tell(rows, 0); }};
    IP2P_ASSIGN_OR_RETURN(report, ImportDataset(*source, flags.output, options));
  }
  for (const std::string& example : report.examples) console.err << "skipped " << example << "\n";
  console.err << "imported " << report.pairs << " pairs of " << report.rows << " rows\n";
  if (flags.json) console.out << ImportJson(report);
  return JudgeImport(report);
}

struct MergeFlags {
  std::vector<std::string> inputs;
  std::string output;
};

absl::Status Merge(const MergeFlags& flags, Console& console) {
  std::vector<std::string> inputs;
  for (const std::string& named : flags.inputs) {
    IP2P_ASSIGN_OR_RETURN(inputs.emplace_back(), LocalDataset(named));
  }
  MergeReport report;
  {
    CountProgress progress(console, "folders");
    IP2P_ASSIGN_OR_RETURN(report, MergeDatasets(inputs, flags.output, progress.callback()));
  }
  console.err << "merged " << report.pairs << " pairs of " << report.prompts << " prompts\n";
  return absl::OkStatus();
}

absl::Status Export(const ConvertFlags& flags, Console& console) {
  IP2P_RETURN_IF_ERROR(OnlyFolder(flags.output));
  IP2P_ASSIGN_OR_RETURN(const std::string input, LocalDataset(flags.input));
  ExportReport report;
  {
    CountProgress progress(console, "folders");
    IP2P_ASSIGN_OR_RETURN(report, ExportDataset(input, flags.output, progress.callback()));
  }
  if (report.skipped > 0) console.err << "warning: " << report.skipped << " pairs have no instruction\n";
  console.err << "exported " << report.pairs << " pairs\n";
  return absl::OkStatus();
}

struct Added {
  CLI::App* command;
  std::shared_ptr<ConvertFlags> flags;
};

Added AddConversion(CLI::App& noun, const char* verb, const char* about, const char* input,
                    const char* output, absl::Status (*run)(const ConvertFlags&, Console&), Console& console,
                    Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(verb, about);
  const auto flags = std::make_shared<ConvertFlags>();
  command->add_option("input", flags->input, input)->required();
  command->add_option("-o,--output", flags->output, output)->required();
  command->callback([flags, &console, &chosen, run] {
    chosen.run = [flags, &console, run] { return run(*flags, console); };
  });
  return {command, flags};
}

}  // namespace

void AddDatasetPack(CLI::App& noun, Console& console, Chosen& chosen) {
  const Added added = AddConversion(noun, "pack", "Write WebDataset shards with checksums and an index",
                                    "Folder of the dataset, or s3:// URL",
                                    "Folder or s3:// URL for the shards; an unfinished pack is continued",
                                    Pack, console, chosen);
  added.command->add_option("--shard-bytes", added.flags->shard_bytes, "Most bytes of a shard")
      ->check(CLI::Range(int64_t{10240}, int64_t{1} << 40))
      ->capture_default_str();
}

void AddDatasetUnpack(CLI::App& noun, Console& console, Chosen& chosen) {
  AddConversion(noun, "unpack", "Make a dataset from what `pack` wrote, byte for byte",
                "Folder of the shards, or s3:// URL", "Folder of the dataset; an unfinished one is continued",
                Unpack, console, chosen);
}

void AddDatasetImport(CLI::App& noun, Console& console, Chosen& chosen) {
  const Added added = AddConversion(
      noun, "import", "Make a dataset from an image folder or WebDataset shards",
      "Folder with metadata.jsonl, folder of .tar files, or a .tar file; or s3:// URL",
      "Folder or s3:// URL of the dataset; an unfinished one is continued", Import, console, chosen);
  ImportColumns& columns = added.flags->columns;
  added.command->add_option("--before", columns.before,
                            "Column of the image before (default: the usual names)");
  added.command->add_option("--after", columns.after, "Column of the image after");
  added.command->add_option("--instruction", columns.edit, "Column of the instruction");
  added.command->add_flag("--json", added.flags->json, "Print the counts as JSON");
}

void AddDatasetMerge(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("merge", "Make one dataset of several, numbered anew");
  const auto flags = std::make_shared<MergeFlags>();
  command->add_option("inputs", flags->inputs, "Folders of the datasets, or s3:// URLs")->required();
  command
      ->add_option("-o,--output", flags->output,
                   "Folder or s3:// URL of the dataset; an unfinished one is continued")
      ->required();
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Merge(*flags, console); }; });
}

void AddDatasetExport(CLI::App& noun, Console& console, Chosen& chosen) {
  AddConversion(noun, "export", "Write a folder that `datasets` and diffusers' training script read",
                "Folder of the dataset, or s3:// URL", "New folder", Export, console, chosen);
}

}  // namespace ip2p
