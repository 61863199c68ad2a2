#include "common/plan/cluster_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "common/base/field_faults.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

// Forward passes of Stable Diffusion 1.5, TFLOP at 512 px, counted from its shapes.
constexpr double kUNetLinear = 0.692;     // grows with the picture's area
constexpr double kUNetAttention = 0.111;  // of self-attention's maps: with the area's square
constexpr double kEncode = 1.1, kDecode = 2.5;
constexpr double kClipPicture = 0.16;  // ViT-L/14 at 224 px
constexpr int kPairRows = 4, kEditRows = 3;
constexpr double kTrainingPasses = 3;  // forward, and backward at twice its work
constexpr double kLoad = 0.6;          // of an edit server that keeps its queue short

double Area(int resolution) {
  const double side = resolution / 512.0;
  return side * side;
}

double Hours(double teraflops, const PlanInputs& in) { return teraflops / in.tflops / 3600; }

// The pieces in rounds, each of which lasts as long as a piece.
std::vector<Duration> InRounds(double gpu_hours, int64_t pieces, std::initializer_list<int> gpus) {
  std::vector<Duration> days;
  for (const int count : gpus) {
    const double rounds = std::ceil(static_cast<double>(pieces) / count);
    days.push_back({count, rounds * gpu_hours / static_cast<double>(pieces) / 24});
  }
  return days;
}

// "143 days on 10, 1.5 days on 1000", in hours below a day.
std::string TimesText(const std::vector<Duration>& times) {
  std::string text;
  for (const Duration& each : times) {
    const double shown = each.days < 1 ? each.days * 24 : each.days;
    absl::StrAppendFormat(&text, "%s%.*f %s on %d", text.empty() ? "" : ", ", shown < 10 ? 1 : 0, shown,
                          each.days < 1 ? "hours" : "days", each.gpus);
  }
  return text;
}

nlohmann::ordered_json DaysJson(const std::vector<Duration>& days) {
  nlohmann::ordered_json json;
  for (const Duration& each : days) json[std::to_string(each.gpus)] = each.days;
  return json;
}

}  // namespace

double UNetTeraflops(int resolution) {
  return kUNetLinear * Area(resolution) + kUNetAttention * Area(resolution) * Area(resolution);
}

absl::Status ValidatePlan(const PlanInputs& in) {
  constexpr int64_t kMost = 1'000'000'000'000;
  FieldFaults faults;
  faults.Whole("prompts", in.prompts, 1, kMost);
  faults.Number("calls_per_prompt", in.calls_per_prompt, 0, 1000);
  faults.Number("usd_per_1000_calls", in.usd_per_1000_calls, 0, 1e6);
  faults.Number("calls_per_second", in.calls_per_second, 1e-6, 1e9);
  faults.Whole("samples_per_prompt", in.samples_per_prompt, 1, 10000);
  faults.Whole("steps", in.steps, 1, 1000);
  faults.Number("kept_per_prompt", in.kept_per_prompt, 0, 10000);
  faults.Number("early_stop_share", in.early_stop_share, 0.001, 1);
  faults.Number("bytes_per_pair", in.bytes_per_pair, 1, 1e9);
  faults.Number("tflops", in.tflops, 1e-3, 1e6);
  faults.Number("usd_per_gpu_hour", in.usd_per_gpu_hour, 0, 1e6);
  faults.Number("partition_hours", in.partition_hours, 0.01, 10000);
  faults.Whole("train_steps", in.train_steps, 1, kMost);
  faults.Whole("train_batch", in.train_batch, 1, 65536);
  faults.Whole("edits_per_day", in.edits_per_day, 0, kMost);
  for (const auto& [name, side] :
       {std::pair("resolution", in.resolution), {"train_resolution", in.train_resolution}}) {
    if (side < 64 || side > 2048 || side % 64 != 0)
      faults.Add(absl::StrFormat("%s is %d; wants a multiple of 64 in 64..2048", name, side));
  }
  return faults.status();
}

absl::StatusOr<ClusterPlan> PlanCluster(const PlanInputs& in) {
  IP2P_RETURN_IF_ERROR(ValidatePlan(in));
  ClusterPlan plan;
  const double prompts = static_cast<double>(in.prompts);
  plan.calls = prompts * in.calls_per_prompt;
  plan.prompt_usd = plan.calls / 1000 * in.usd_per_1000_calls;
  plan.prompt_hours = plan.calls / in.calls_per_second / 3600;

  plan.samples = prompts * static_cast<double>(in.samples_per_prompt) * in.early_stop_share;
  const double sample = in.steps * kPairRows * UNetTeraflops(in.resolution) +
                        2 * (kDecode * Area(in.resolution) + kClipPicture);
  plan.seconds_per_sample = sample / in.tflops;
  plan.pair_gpu_hours = Hours(plan.samples * sample, in);
  plan.pair_usd = plan.pair_gpu_hours * in.usd_per_gpu_hour;
  plan.partitions =
      std::clamp<int64_t>(std::llround(plan.pair_gpu_hours / in.partition_hours), 1, in.prompts);
  plan.dataset_bytes = prompts * in.kept_per_prompt * in.bytes_per_pair * Area(in.resolution);
  plan.pair_days = InRounds(plan.pair_gpu_hours, plan.partitions, {1, 10, 100, 1000});

  const double example =
      kTrainingPasses * UNetTeraflops(in.train_resolution) + 2 * kEncode * Area(in.train_resolution);
  plan.examples_per_second = in.tflops / example;
  plan.train_gpu_hours = Hours(example * in.train_batch * static_cast<double>(in.train_steps), in);
  plan.train_usd = plan.train_gpu_hours * in.usd_per_gpu_hour;
  for (const int gpus : {1, 8, 64}) plan.train_days.push_back({gpus, plan.train_gpu_hours / gpus / 24});

  const double edit =
      in.steps * kEditRows * UNetTeraflops(in.resolution) + (kEncode + kDecode) * Area(in.resolution);
  plan.seconds_per_edit = edit / in.tflops;
  plan.edit_gpus = static_cast<double>(in.edits_per_day) * plan.seconds_per_edit / 86400 / kLoad;
  plan.usd_per_1000_edits = 1000 * Hours(edit, in) * in.usd_per_gpu_hour / kLoad;
  return plan;
}

std::string PlanText(const PlanInputs& in, const ClusterPlan& plan) {
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    absl::StrAppendFormat(&text, "%-12s %s\n", name, value);
  };
  line("prompts",
       absl::StrFormat("%d captions, %.0f calls, %.0f dollars, %.1f hours at %g calls/s", in.prompts,
                       plan.calls, plan.prompt_usd, plan.prompt_hours, in.calls_per_second));
  line("pairs",
       absl::StrFormat("%.3g samples of %d px and %d steps, %.2f s each on a GPU that sustains %g TFLOP/s",
                       plan.samples, in.resolution, in.steps, plan.seconds_per_sample, in.tflops));
  line("", absl::StrFormat("%.0f GPU hours, %.0f dollars; %d partitions; %.1f GB of pairs that are kept",
                           plan.pair_gpu_hours, plan.pair_usd, plan.partitions, plan.dataset_bytes / 1e9));
  line("", TimesText(plan.pair_days) + " GPUs");
  line("training",
       absl::StrFormat("%d steps of %d at %d px: %.0f GPU hours, %.0f dollars; %.0f examples/s a GPU",
                       in.train_steps, in.train_batch, in.train_resolution, plan.train_gpu_hours,
                       plan.train_usd, plan.examples_per_second));
  line("", TimesText(plan.train_days) + " GPUs, by arithmetic alone");
  line("edits",
       absl::StrFormat("%.2f s each; %d a day take %.1f GPUs at 60 %% load; %.2f dollars a thousand",
                       plan.seconds_per_edit, in.edits_per_day, plan.edit_gpus, plan.usd_per_1000_edits));
  return text;
}

std::string PlanJson(const PlanInputs& in, const ClusterPlan& plan) {
  nlohmann::ordered_json json;
  json["inputs"] = {{"prompts", in.prompts},
                    {"calls_per_prompt", in.calls_per_prompt},
                    {"usd_per_1000_calls", in.usd_per_1000_calls},
                    {"calls_per_second", in.calls_per_second},
                    {"samples_per_prompt", in.samples_per_prompt},
                    {"steps", in.steps},
                    {"resolution", in.resolution},
                    {"kept_per_prompt", in.kept_per_prompt},
                    {"early_stop_share", in.early_stop_share},
                    {"bytes_per_pair", in.bytes_per_pair},
                    {"tflops", in.tflops},
                    {"usd_per_gpu_hour", in.usd_per_gpu_hour},
                    {"partition_hours", in.partition_hours},
                    {"train_steps", in.train_steps},
                    {"train_batch", in.train_batch},
                    {"train_resolution", in.train_resolution},
                    {"edits_per_day", in.edits_per_day}};
  json["prompts"] = {{"calls", plan.calls}, {"usd", plan.prompt_usd}, {"hours", plan.prompt_hours}};
  json["pairs"] = {{"samples", plan.samples},
                   {"seconds_per_sample", plan.seconds_per_sample},
                   {"gpu_hours", plan.pair_gpu_hours},
                   {"usd", plan.pair_usd},
                   {"partitions", plan.partitions},
                   {"dataset_bytes", plan.dataset_bytes},
                   {"days_by_gpus", DaysJson(plan.pair_days)}};
  json["training"] = {{"gpu_hours", plan.train_gpu_hours},
                      {"usd", plan.train_usd},
                      {"examples_per_second", plan.examples_per_second},
                      {"days_by_gpus", DaysJson(plan.train_days)}};
  json["edits"] = {{"seconds", plan.seconds_per_edit},
                   {"gpus", plan.edit_gpus},
                   {"usd_per_1000", plan.usd_per_1000_edits}};
  return json.dump(2) + "\n";
}

}  // namespace ip2p
