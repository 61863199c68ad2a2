// `ip2p pairs generate`: one partition of a prompts file to its part of a dataset. A rerun goes on.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/miniature.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/model_source.h"
#include "common/pipeline/pair_miniature.h"
#include "common/pipeline/pair_settings.h"
#include "services/cli/pairs_commands.h"
#include "services/cli/pairs_reporter.h"

namespace ip2p {
namespace {

struct GenerateFlags {
  PairJobOptions job;
  SamplerFlags sampler;
  std::optional<int64_t> partition;  // absent: JOB_COMPLETION_INDEX, else 0
  std::string seeds;
  bool native_resolution = true;  // none is named
  bool miniature = false;         // no model is named
  bool no_safety_check = false;
  bool json = false;
};

void AddJobFlags(CLI::App& app, GenerateFlags& flags) {
  PairJobOptions& job = flags.job;
  app.add_option("--out-dir", job.out_dir, "Folder or s3:// URL of the dataset; a rerun goes on there")
      ->required();
  app.add_option("--prompts-file", job.prompts_file, "Prompts, JSON lines; a file or s3:// URL")->required();
  app.add_option("--photos", job.photos,
                 "Folder or s3:// URL of captioned pictures (metadata.jsonl): the one of its caption is a "
                 "prompt's first picture, and what the edit leaves alone stays as it is there");
  app.add_option(
         "--photos-show", job.photo_side,
         "before: a photo is a pair's first picture; after: it is the second one, which a model learns "
         "to make, and the one of the prompt's edited caption")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, PhotoSide>{{"before", PhotoSide::kBefore}, {"after", PhotoSide::kAfter}}))
      ->default_str("before");
  app.add_option("--n-partitions", job.n_partitions, "Shares of the prompts, as numpy.array_split")
      ->capture_default_str();
  app.add_option("--partition", flags.partition, "Our share (default: JOB_COMPLETION_INDEX, else 0)");
  app.add_flag("--json", flags.json, "Print the report as JSON");
}

void AddParamFlags(CLI::App& app, GenerateFlags& flags) {
  PairParams& params = flags.job.params;
  app.add_option("--steps", params.steps, "Denoising steps, 1..1000")->capture_default_str();
  app.add_option("--n-samples", params.n_samples, "Samples tried per prompt, 1..10000")
      ->capture_default_str();
  app.add_option("--max-out-samples", params.max_out_samples, "Pairs kept per prompt, best first")
      ->capture_default_str();
  app.add_option(
      "--resolution", params.resolution,
      "Side in px, a multiple of 64 in 64..1024 (default: the model's own, 512 for Stable Diffusion "
      "1.x)");
  app.add_option("--min-p2p", params.min_p2p, "Least share of steps with shared attention maps")
      ->capture_default_str();
  app.add_option("--max-p2p", params.max_p2p, "Largest share of them")->capture_default_str();
  app.add_option(
         "--common-steps", params.common_steps,
         "Share of the steps that both pictures take as one, by the first caption or to its photo: what they "
         "show stays in its place")
      ->capture_default_str();
  app.add_option(
      "--whole-common-steps", params.whole_common_steps,
      "The same of photos most of which the edit changes, which needs more noise (default: the same)");
  app.add_option("--min-cfg", params.min_cfg, "Least guidance scale")->capture_default_str();
  app.add_option("--max-cfg", params.max_cfg, "Largest guidance scale")->capture_default_str();
  AddThresholdFlags(app, params.thresholds);
  app.add_option("--seed", params.seed, "Global seed; each sample's follows from it, prompt and sample")
      ->capture_default_str();
  app.add_option("--seeds", flags.seeds, "Exactly these sample seeds instead, 11,12,...");
  app.add_flag("--early-stop", params.early_stop,
               "End a prompt once enough samples pass with a margin, or none comes near");
  app.add_flag("--no-safety-check", flags.no_safety_check, "Don't ask the safety checker");
}

// What is left to decide once all flags are known. A fault is bad input, which a Job does not try again.
absl::Status Finish(GenerateFlags& flags) {
  PairJobOptions& job = flags.job;
  const char* const index = std::getenv("JOB_COMPLETION_INDEX");
  if (flags.partition.has_value()) {
    job.partition = *flags.partition;
  } else if (index != nullptr && !absl::SimpleAtoi(index, &job.partition)) {
    return absl::InvalidArgumentError("JOB_COMPLETION_INDEX is no whole number");
  }
  job.params.safety_check = !flags.no_safety_check;
  IP2P_ASSIGN_OR_RETURN(job.params.seeds, ParseSeedList(flags.seeds));
  IP2P_RETURN_IF_ERROR(CheckPairJob(job));
  if (flags.sampler.models.checkpoint.empty()) {
    if (const absl::Status taken = TakeMiniature(flags.sampler.models); !taken.ok())
      return absl::InvalidArgumentError(absl::StrCat(taken.message(), "; wants --ckpt"));
    flags.miniature = true;
  }
  if (!job.params.thresholds.all_zero() && flags.sampler.models.clip.empty()) {
    return absl::InvalidArgumentError(
        "a threshold is not 0 and no CLIP is named; wants --clip, or all three 0");
  }
  return absl::OkStatus();
}

absl::Status Generate(GenerateFlags& flags, Console& console) {
  if (flags.miniature) console.err << "no model is named: " << kMiniatureNote << "\n" << std::flush;
  if (flags.native_resolution) {
    // Of one that does not open, the sampler tells.
    const absl::StatusOr<ModelSource> model = OpenModel(flags.sampler.models.checkpoint);
    if (model.ok())
      flags.job.params.resolution = std::min(model->config.native_resolution(), kMaxPairResolution);
  }
  PairJobReport report;
  absl::Status status;
  {
    PairsReporter reporter(console);
    const Cancellation::Scope scope(console.cancellation, [&reporter] { reporter.Cancel(); });
    status = RunPairJob(flags.job, FactoryOf(flags.sampler, console), reporter, report);
    if (report.elsewhere) reporter.Say("another process works on this partition; nothing is left to do here");
  }
  if (flags.json) console.out << PairReportJson(report);
  if (!report.elsewhere) console.err << PairReportText(report) << "\n";
  return status;
}

}  // namespace

void AddPairsGenerate(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command =
      noun.add_subcommand("generate", "Make pairs of every prompt, keep what CLIP approves; a rerun goes on");
  const auto flags = std::make_shared<GenerateFlags>();
  AddJobFlags(*command, *flags);
  AddParamFlags(*command, *flags);
  AddSamplerFlags(*command, flags->sampler);
  command->get_option("--ckpt")->description(
      "Text-to-image model: diffusers folder, .safetensors or .ckpt (default: the miniature, with its CLIP)");
  command->callback([flags, command, &console, &chosen] {
    FinishSamplerFlags(flags->sampler);
    flags->native_resolution = command->count("--resolution") == 0;
    const absl::Status fault = Finish(*flags);
    chosen.needs_torch = fault.ok();
    chosen.run = [flags, fault, &console] { return fault.ok() ? Generate(*flags, console) : fault; };
  });
}

}  // namespace ip2p
