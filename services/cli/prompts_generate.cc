// The flags of `ip2p prompts generate`.
#include "services/cli/prompts_generate.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/cli/prompts_commands.h"

namespace ip2p {
namespace {

constexpr int64_t kMostUsd = 1'000'000'000;

struct GenerateFlags {
  GenerateTask task;
  int64_t partition = -1;  // -1: JOB_COMPLETION_INDEX, else 0
  std::string provider;
  double max_usd = -1;  // -1: unlimited
  bool no_moderation = false;
};

void AddSourceFlags(CLI::App& app, GenerateFlags& flags) {
  GenerateTask& task = flags.task;
  RunOptions& run = task.order.run;
  app.add_option("--captions", task.order.captions_path,
                 ".jsonl, .txt or .csv; - for JSONL on standard input");
  app.add_option("--out", task.order.output_path,
                 "Prompts, JSONL; its journal stands beside it, and a rerun resumes");
  app.add_option("--n-partitions", run.n_partitions,
                 "Shares of the captions; their files are named NAME-00003-of-00010.jsonl")
      ->capture_default_str();
  app.add_option("--partition", flags.partition, "Our share (default: JOB_COMPLETION_INDEX, else 0)");
  app.add_option("--concurrency", run.concurrency, "Captions in flight")->capture_default_str();
  app.add_option("--max-usd", flags.max_usd, "Stop before more than this is spent; 0: only what is free");
  app.add_option("--seed", run.params.seed, "Of the captions' order and of shapes")->capture_default_str();
  app.add_flag("--json", task.json, "Print the counts as JSON");
}

void AddModelFlags(CLI::App& app, GenerateFlags& flags) {
  GenerationParams& params = flags.task.order.run.params;
  app.add_option("--provider", flags.provider, "Who writes (default: openai-chat with a key, else shapes)")
      ->check(CLI::IsMember({"openai-chat", "openai-completion", "openai-batch", "shapes"}));
  app.add_option("--model", params.model, "The provider's name of the model");
  app.add_option("--temperature", params.temperature, "Of sampling")->capture_default_str();
  app.add_option("--max-tokens", params.max_tokens, "Of an answer")->capture_default_str();
  app.add_option("--frequency-penalty", params.frequency_penalty, "On repeated tokens")
      ->capture_default_str();
  app.add_option("--max-tries", params.max_tries, "Of a caption")->capture_default_str();
  app.add_flag("--no-moderation", flags.no_moderation, "Don't have captions and answers judged");
}

void AddLocalFlags(CLI::App& app, ProviderConfig& config) {
  const auto local = [](CLI::Option* option) { option->group("In this process"); };
  local(app.add_option("--base-url", config.api.base_url, "Of a server that speaks the OpenAI API")
            ->capture_default_str());
  local(app.add_option("--key-file", config.key_file,
                       "File of the API key (else the variable OPENAI_API_KEY)"));
  local(app.add_option("--prices-file", config.prices_file, "JSON file of prices; --max-usd wants it"));
  local(app.add_option("--ca-file", config.ca_file, "PEM authorities in place of the system's"));
  local(app.add_option("--organization", config.api.organization, "Sent along"));
  local(app.add_option("--project", config.api.project, "Sent along"));
  local(app.add_option("--requests-per-minute", config.api.limits.requests_per_minute,
                       "Held to; 0: what the server says"));
  local(app.add_option("--tokens-per-minute", config.api.limits.tokens_per_minute,
                       "Held to; 0: what the server says"));
}

// What is left to decide once all flags are known. Throws CLI's own errors, as callbacks do.
GenerateTask Finish(const GenerateFlags& flags) {
  GenerateTask task = flags.task;
  task.order.run.partition = std::max<int64_t>(flags.partition, 0);
  const char* const index = std::getenv("JOB_COMPLETION_INDEX");
  if (flags.partition < 0 && index != nullptr && !absl::SimpleAtoi(index, &task.order.run.partition)) {
    throw CLI::ValidationError("JOB_COMPLETION_INDEX is no whole number");
  }
  if (flags.max_usd != -1 &&
      !(flags.max_usd >= 0 && flags.max_usd <= static_cast<double>(kMostUsd))) {  // NaN is no limit either
    throw CLI::ValidationError(
        absl::StrCat("max_usd is ", flags.max_usd, "; wants 0..", kMostUsd, ", or -1: unlimited"));
  }
  if (flags.max_usd >= 0) task.order.max_micro_usd = std::llround(flags.max_usd * 1e6);
  task.order.provider = ParseProvider(flags.provider).value_or(ProviderKind::kDefault);
  task.order.run.params.moderation = !flags.no_moderation;
  task.providers.api.max_concurrency = task.order.run.concurrency;
  const bool remote = !task.server.address.empty();
  if (task.order.captions_path.empty() && (!remote || task.captions_file.empty())) {
    throw CLI::RequiredError("--captions");
  }
  // A server keeps a named run; otherwise what was paid for would go nowhere.
  if (task.order.output_path.empty() && (!remote || task.run_name.empty())) throw CLI::RequiredError("--out");
  if (const absl::Status status = CheckOrder(task.order); !status.ok()) {
    throw CLI::ValidationError(std::string(status.message()));
  }
  return task;
}

}  // namespace

void AddPromptsGenerate(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand("generate", "Write an edit for every caption; a rerun goes on");
  const auto flags = std::make_shared<GenerateFlags>();
  AddSourceFlags(*command, *flags);
  AddModelFlags(*command, *flags);
  AddLocalFlags(*command, flags->task.providers);
  AddServerFlags(*command, flags->task.server);
  command->add_option("--captions-file", flags->task.captions_file, "A file in the server's data folder")
      ->group("Server");
  command->add_option("--run-name", flags->task.run_name, "Of the journal there; the same name resumes")
      ->group("Server");
  command->callback([flags, &console, &chosen] {
    chosen.run = [task = Finish(*flags), &console] {
      return task.server.address.empty() ? GenerateLocally(task, console) : GenerateRemotely(task, console);
    };
  });
}

}  // namespace ip2p
