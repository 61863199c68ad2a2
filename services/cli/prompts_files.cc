// `ip2p prompts prepare` and `ip2p prompts stats`: files in, a file or a table out.
#include <memory>

#include "common/base/status_macros.h"
#include "common/prompts/prompt_stats.h"
#include "common/prompts/training_examples.h"
#include "services/cli/files.h"
#include "services/cli/prompts_commands.h"

namespace ip2p {
namespace {

constexpr size_t kMaxExamplesBytes = 20 << 20;  // what StartFinetune takes

struct PrepareFlags {
  std::string input;
  std::string output;
  std::string format = "chat";
};

absl::Status Prepare(const PrepareFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::string examples, ReadInput(flags.input, kMaxExamplesBytes, console.in));
  const TrainingShape shape = flags.format == "chat" ? TrainingShape::kChat : TrainingShape::kCompletion;
  IP2P_ASSIGN_OR_RETURN(const PreparedExamples file, PrepareExamples(examples, shape));
  IP2P_RETURN_IF_ERROR(WriteOutput(flags.output, file.text, console.out));
  for (const std::string& warning : file.warnings) console.err << "warning: " << warning << "\n";
  console.err << "wrote " << file.examples << " examples in " << flags.format << " format\n";
  return absl::OkStatus();
}

struct StatsFlags {
  std::string path;
  bool json = false;
};

absl::Status Stats(const StatsFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const PromptStats stats, ReadPromptStats(flags.path));
  console.out << (flags.json ? StatsJson(stats) : StatsText(stats));
  return absl::OkStatus();
}

}  // namespace

void AddPromptsPrepare(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("prepare", "Make a training file from examples that people wrote");
  const auto flags = std::make_shared<PrepareFlags>();
  command->add_option("-i,--input", flags->input, "JSONL of input, edit and output; - for standard input")
      ->required();
  command->add_option("-o,--output", flags->output, "Training file; - for standard output")->required();
  command->add_option("--format", flags->format, "chat or completion (the reference's)")
      ->check(CLI::IsMember({"chat", "completion"}))
      ->capture_default_str();
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Prepare(*flags, console); }; });
}

void AddPromptsStats(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("stats", "Count a prompts file, and what its journal tells");
  const auto flags = std::make_shared<StatsFlags>();
  command->add_option("file", flags->path, "Prompts file, JSONL")->required();
  command->add_flag("--json", flags->json, "Print it as JSON");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Stats(*flags, console); }; });
}

}  // namespace ip2p
