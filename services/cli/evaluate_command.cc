// `ip2p evaluate`: an edit model on a split of a dataset, as the curve of the paper. A rerun goes on.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/limits.h"
#include "common/base/status_macros.h"
#include "common/evaluation/curve_report.h"
#include "common/evaluation/dataset_digest.h"
#include "common/evaluation/evaluate.h"
#include "common/pipeline/pair_settings.h"
#include "services/cli/commands.h"
#include "services/cli/evaluate_reporter.h"
#include "services/cli/evaluate_shapes.h"
#include "services/cli/model_flags.h"
#include "services/cli/word_check.h"

namespace ip2p {
namespace {

constexpr int kMaxBatch = 64;
constexpr int kShapesBatch = 8;  // of the profile, whose figures are counts of what is read

struct EvaluateFlags {
  std::string profile;  // "shapes", or empty: a dataset, judged by CLIP
  ShapesEvaluation shapes;
  EvaluationOptions options;
  ModelFlags local;
  std::string clip;
  std::string dataset;
  std::string out_dir;
  std::string split = SplitName(EvaluationOptions{}.split);
  std::string clip_input = ClipInputName(EvaluationOptions{}.clip_input);
  std::string text_guidance = absl::StrJoin(EvaluationOptions{}.text_guidance, ",");
  std::string image_guidance = absl::StrJoin(EvaluationOptions{}.image_guidance, ",");
  bool json = false;
};

void AddSampleFlags(CLI::App& app, EvaluateFlags& flags) {
  EvaluationOptions& options = flags.options;
  app.add_option("--dataset", flags.dataset, "Folder with seeds.json, or a pack of one");
  app.add_option("--split", flags.split, "train, val or test: 0.9, 0.05, 0.05 of seeds.json in its order")
      ->check(ParsesAs(ParseSplit))
      ->capture_default_str();
  app.add_option("--max-samples", options.max_samples, "Samples of the split, drawn by the seed")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Seed of the samples and of the noise, 0..4294967295")
      ->check(CLI::Range(int64_t{0}, kMaxSeed))
      ->capture_default_str();
  app.add_option("--out-dir", flags.out_dir, "Folder of the results; a rerun goes on there")->required();
  app.add_flag("--save-images", options.save_images, "Keep photos, targets and edits in OUT_DIR/images");
  app.add_flag("--json", flags.json, "Print the curve as JSON, not as a table (CSV)");
}

void AddEditingFlags(CLI::App& app, EvaluateFlags& flags) {
  EvaluationOptions& options = flags.options;
  app.add_option("--steps", options.steps, "Denoising steps, 1..1000")->capture_default_str();
  app.add_option("--resolution", options.resolution, "Side in px, a multiple of 64")->capture_default_str();
  app.add_option("--text-guidance", flags.text_guidance, "Text guidance scales, 7.5,10,...")
      ->capture_default_str();
  app.add_option("--image-guidance", flags.image_guidance, "Image guidance scales: the points of the curve")
      ->capture_default_str();
  app.add_option("--batch", flags.local.model.engine.max_batch,
                 "Edits denoised together, 1..64; above 1 a value may move by one level between two runs")
      ->check(CLI::Range(1, kMaxBatch))
      ->capture_default_str();
  app.add_option("--clip", flags.clip, "Folder of a CLIP in transformers' layout");
  app.add_option("--clip-input", flags.clip_input,
                 "What CLIP is shown: standard (0..1), or reference: -1..1 as compute_metrics.py passes it")
      ->check(ParsesAs(ParseClipInput))
      ->capture_default_str();
}

void AddShapesFlags(CLI::App& app, EvaluateFlags& flags) {
  constexpr char kGroup[] = "Profile shapes";
  ShapesEvaluation& shapes = flags.shapes;
  app.add_option(
         "--profile", flags.profile,
         "shapes: measure the miniature part by part on scenes that it never saw; of the flags above, "
         "--ckpt, --clip, --steps, --seed, --text-guidance, --image-guidance (one scale each), --batch "
         "(8 if not given), --out-dir and --json count, and only --out-dir is needed")
      ->check(CLI::IsMember({"shapes"}))
      ->group(kGroup);
  app.add_option("--models", shapes.models,
                 "Folder with edit/, clip/ and text-to-image/ (default: the shipped one)")
      ->group(kGroup);
  app.add_option("--text-to-image", shapes.text_to_image, "Text-to-image model in place of that folder's")
      ->group(kGroup);
  app.add_option("--parts", shapes.options.parts, "What to measure: some of vae,clip,text-to-image,edit")
      ->delimiter(',')
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--cases", shapes.options.cases, "Cases of each figure")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--curve-cases", shapes.options.curve_cases, "Cases of each point of the curve; 0: no curve")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--caption-guidance", shapes.options.caption_guidance, "Guidance scale of text-to-image")
      ->capture_default_str()
      ->group(kGroup);
}

// A dataset's evaluation needs them, the profile has its own.
void CheckNeeded(const CLI::App& command, const EvaluateFlags& flags) {
  if (!flags.profile.empty()) return;
  for (const char* name : {"--ckpt", "--dataset", "--clip"}) {
    if (command.count(name) == 0) throw CLI::RequiredError(name);
  }
}

// Flags that both evaluations have, and whose defaults differ.
void TakeShared(const CLI::App& command, EvaluateFlags& flags) {
  ShapesEvaluation& shapes = flags.shapes;
  if (command.count("--steps") > 0) shapes.options.steps = flags.options.steps;
  if (command.count("--seed") > 0) shapes.options.seed = flags.options.seed;
  if (!flags.profile.empty() && command.count("--batch") == 0)
    flags.local.model.engine.max_batch = kShapesBatch;
  shapes.clip = flags.clip;
  shapes.out_dir = flags.out_dir;
  shapes.json = flags.json;
}

// The profile's edits have one scale of each kind; its curve has others of its own.
absl::Status TakeScale(const CLI::App& command, const char* flag, const std::vector<double>& given,
                       double& scale) {
  if (command.count(flag) == 0) return absl::OkStatus();
  if (given.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " has ", given.size(), " scales; wants one with --profile shapes"));
  }
  scale = given[0];
  return absl::OkStatus();
}

// What is left to judge once all flags are known. A fault is bad input.
absl::Status Finish(const CLI::App& command, EvaluateFlags& flags) {
  IP2P_RETURN_IF_ERROR(FinishModelFlags(flags.local));
  EvaluationOptions& options = flags.options;
  IP2P_ASSIGN_OR_RETURN(options.split, ParseSplit(flags.split));
  IP2P_ASSIGN_OR_RETURN(options.clip_input, ParseClipInput(flags.clip_input));
  IP2P_ASSIGN_OR_RETURN(options.text_guidance, ParseGuidanceList("text_guidance", flags.text_guidance));
  IP2P_ASSIGN_OR_RETURN(options.image_guidance, ParseGuidanceList("image_guidance", flags.image_guidance));
  Guidance& edits = flags.shapes.options.guidance;
  if (!flags.profile.empty()) {
    IP2P_RETURN_IF_ERROR(TakeScale(command, "--text-guidance", options.text_guidance, edits.text));
    IP2P_RETURN_IF_ERROR(TakeScale(command, "--image-guidance", options.image_guidance, edits.image));
  }
  return ValidateEvaluation(options);
}

absl::StatusOr<std::vector<SampleRecord>> RunEvaluation(const EvaluationTask& task, EvaluationModels& models,
                                                        Console& console) {
  EvaluateReporter reporter(console);
  const Cancellation::Scope scope(console.cancellation, [&reporter] { reporter.Cancel(); });
  return Evaluate(task, *models.engine, *models.scorer, reporter);
}

absl::Status EvaluateModel(const EvaluateFlags& flags, Console& console) {
  const LocalModel& model = flags.local.model;
  IP2P_ASSIGN_OR_RETURN(const auto examples,
                        OpenExamples(flags.dataset, TrainObjective::kInstructPix2Pix, flags.options.split));
  IP2P_ASSIGN_OR_RETURN(const std::string digest, DatasetDigest(flags.dataset));
  console.err << "loading the models\n" << std::flush;
  IP2P_ASSIGN_OR_RETURN(
      EvaluationModels models,
      console.torch->open_evaluation({.checkpoint = model.path, .open = model.open, .clip = flags.clip},
                                     model.engine, flags.options.clip_input));
  EvaluationTask task{.options = flags.options,
                      .examples = *examples,
                      .folder = flags.out_dir,
                      .settings = SettingsOf(flags.options),
                      .together = model.engine.max_batch};
  task.settings["dataset_sha256"] = digest;
  task.settings[kWeights] = models.fingerprint;
  task.settings[kPrecision] = models.engine->precision_name();
  IP2P_ASSIGN_OR_RETURN(const std::vector<SampleRecord> records, RunEvaluation(task, models, console));
  const GuidanceCurve curve = CurveOf(GuidancesOf(flags.options), records);
  IP2P_RETURN_IF_ERROR(WriteCurve(curve, task.settings, flags.out_dir));
  console.out << (flags.json ? CurveJson(curve, task.settings) : CurveCsv(curve));
  console.err << curve.samples << " samples, " << curve.left_out << " left out; CLIP was shown the "
              << flags.clip_input << " range; wrote " << flags.out_dir << "/curve.{csv,json,svg,png}\n";
  return absl::OkStatus();
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "evaluate",
      "Measure an edit model on a dataset: the paper's curve over image guidance; a rerun goes on");
  const auto flags = std::make_shared<EvaluateFlags>();
  flags->local.model.engine.max_batch = 1;  // equal commands give equal figures
  AddModelFlags(*command, flags->local, "Model");
  AddSampleFlags(*command, *flags);
  AddEditingFlags(*command, *flags);
  AddShapesFlags(*command, *flags);
  command->callback([flags, command, &console, &chosen] {
    CheckNeeded(*command, *flags);
    TakeShared(*command, *flags);
    const absl::Status fault = Finish(*command, *flags);
    chosen.needs_torch = fault.ok();
    chosen.run = [flags, fault, &console] {
      if (!fault.ok()) return fault;
      return flags->profile.empty() ? EvaluateModel(*flags, console)
                                    : EvaluateShapes(flags->shapes, flags->local.model, console);
    };
  });
}

}  // namespace ip2p
