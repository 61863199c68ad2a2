// `ip2p plan`: what a dataset, a training run and edits take, before anything is ordered.
#include <memory>

#include "common/base/status_macros.h"
#include "common/plan/cluster_plan.h"
#include "services/cli/commands.h"

namespace ip2p {
namespace {

struct PlanFlags {
  PlanInputs inputs;
  bool json = false;
};

absl::Status Plan(const PlanFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const ClusterPlan plan, PlanCluster(flags.inputs));
  console.out << (flags.json ? PlanJson(flags.inputs, plan) : PlanText(flags.inputs, plan));
  return absl::OkStatus();
}

}  // namespace

void AddPlanCommand(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "plan", "Estimate GPU hours, storage, dollars and days of a dataset, a training run and edits");
  const auto flags = std::make_shared<PlanFlags>();
  PlanInputs& in = flags->inputs;
  const auto add = [command](const char* name, auto& value, const char* text) {
    command->add_option(name, value, text)->capture_default_str();
  };
  add("--prompts", in.prompts, "Prompts");
  add("--calls-per-prompt", in.calls_per_prompt, "Requests of the language model for one");
  add("--usd-per-1000-calls", in.usd_per_1000_calls, "Their price");
  add("--calls-per-second", in.calls_per_second, "What the account's limits allow");
  add("--n-samples", in.samples_per_prompt, "Samples tried per prompt");
  add("--steps", in.steps, "Denoising steps");
  add("--resolution", in.resolution, "Side in px of pairs and edits");
  add("--kept-per-prompt", in.kept_per_prompt, "Pairs that the filters keep");
  add("--early-stop-share", in.early_stop_share, "Share of the samples that --early-stop leaves to make");
  add("--bytes-per-pair", in.bytes_per_pair, "On the disk, at 512 px");
  add("--tflops", in.tflops, "What one GPU sustains on these networks, 10^12 operations a second");
  add("--usd-per-gpu-hour", in.usd_per_gpu_hour, "Its price");
  add("--partition-hours", in.partition_hours, "Wanted length of a partition");
  add("--train-steps", in.train_steps, "Optimizer steps");
  add("--train-batch", in.train_batch, "Examples a step");
  add("--train-resolution", in.train_resolution, "Side in px of training");
  add("--edits-per-day", in.edits_per_day, "Edits to serve");
  command->add_flag("--json", flags->json, "Print it as JSON, with the inputs");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Plan(*flags, console); }; });
}

}  // namespace ip2p
