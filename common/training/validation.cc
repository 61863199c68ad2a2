// See validation.h.
#include "common/training/validation.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/log.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"
#include "common/image/encode.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/edit_scorer.h"
#include "common/pipeline/pending_edits.h"
#include "common/storage/atomic_file.h"
#include "common/storage/make_folder.h"
#include "common/training/augment.h"
#include "common/training/example_source.h"
#include "common/training/export_model.h"
#include "common/training/run_checkpoint.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kNoise = 0x76616c;  // a stream of numbers apart from training's

absl::StatusOr<EditResult> EditOne(EditEngine& engine, const Example& example, int resolution, int steps) {
  PendingEdits edits(engine);
  IP2P_RETURN_IF_ERROR(
      edits.Add(example.before, {.instruction = example.text, .steps = steps, .resolution = resolution}));
  while (edits.NextStep()) {
  }
  return edits.Take(0);
}

absl::Status WritePicture(const std::string& folder, int index, const char* what, const Image& image) {
  IP2P_ASSIGN_OR_RETURN(const std::string bytes, EncodeImage(image));
  return WriteFileAtomically(absl::StrFormat("%s/%03d-%s.png", folder, index, what), bytes);
}

absl::StatusOr<Example> Load(const ExampleSource& source, int64_t index, const AugmentConfig& config) {
  IP2P_ASSIGN_OR_RETURN(const RawExample raw, source.Get(index, /*choice=*/0));
  return Augment(raw, config, /*seed=*/0);
}

}  // namespace

absl::StatusOr<Validation> Validation::Create(const std::string& dataset, const TrainConfig& config,
                                              const TrainStart& start, Objective& objective,
                                              const Options& options) {
  Validation validation(config, start, options);
  auto source = OpenExamples(dataset, config.objective, Split::kValidation);
  if (absl::IsFailedPrecondition(source.status()))
    source = OpenExamples(dataset, config.objective, Split::kTrain);
  IP2P_RETURN_IF_ERROR(source.status());
  const AugmentConfig plain = PlainCrop(config.resolution);
  const auto wanted = static_cast<size_t>(config.validation_samples);
  for (int64_t i = 0; i < (*source)->size() && validation.examples_.size() < wanted; ++i) {
    absl::StatusOr<Example> loaded = Load(**source, i, plain);
    if (absl::IsUnavailable(loaded.status())) return loaded.status();
    if (!loaded.ok()) {
      Log(LogLevel::kWarning, "a damaged example does not validate",
          {{"example", i}, {"status", loaded.status().ToString()}});
      continue;
    }
    Example example = *std::move(loaded);
    const std::vector<uint64_t> seeds = {MixSeed(config.seed, kNoise, static_cast<uint64_t>(i))};
    objective.Prepare(validation.batches_.emplace_back(objective.MakeBatch({&example, 1}, seeds)));
    validation.examples_.push_back(std::move(example));
  }
  if (validation.examples_.empty())
    return absl::FailedPreconditionError(
        "every example of the validation split is damaged; wants a whole one");
  return validation;
}

absl::StatusOr<ValidationReport> Validation::Run(Trainer& trainer) {
  ValidationReport report{.step = trainer.step()};
  {
    const Trainer::Averaged averaged(trainer);
    const torch::NoGradGuard no_grad;
    double sum = 0;
    for (const TrainBatch& batch : batches_) sum += trainer.objective().Loss(batch).item<double>();
    report.loss = sum / static_cast<double>(examples_.size());
  }
  if (config_.objective == TrainObjective::kInstructPix2Pix) IP2P_RETURN_IF_ERROR(Edit(trainer, report));
  return report;
}

absl::Status Validation::Edit(Trainer& trainer, ValidationReport& report) {
  const std::string target = ValidationPath(options_.run, report.step);
  std::error_code error;
  IP2P_RETURN_IF_ERROR(MakeFolder(fs::path(target).parent_path(), "the folder of validations"));
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(target, fs::exists(target, error)));
  IP2P_ASSIGN_OR_RETURN(
      const std::unique_ptr<EditEngine> engine,
      EditEngine::Create(
          ModelWith(*start_, trainer.ExportedWeights()),
          {.device = options_.device, .precision = config_.precision, .threads = options_.threads}));
  std::unique_ptr<EditScorer> scorer;
  if (!options_.clip.empty()) {
    IP2P_ASSIGN_OR_RETURN(const ClipSource clip, OpenClip(options_.clip));
    IP2P_ASSIGN_OR_RETURN(scorer, EditScorer::Create(clip, options_.device, ClipInput::kStandard));
  }
  double direction = 0, image = 0;
  int scored = 0;
  for (size_t i = 0; i < examples_.size(); ++i) {
    const Example& example = examples_[i];
    IP2P_ASSIGN_OR_RETURN(const EditResult edit,
                          EditOne(*engine, example, config_.resolution, options_.edit_steps));
    const int index = static_cast<int>(i);
    const Image& made = edit.outputs.at(0).image;
    IP2P_RETURN_IF_ERROR(WritePicture(folder.path(), index, "input", example.before));
    IP2P_RETURN_IF_ERROR(WritePicture(folder.path(), index, "edit", made));
    if (!scorer || example.caption.empty() || example.output.empty()) continue;
    IP2P_ASSIGN_OR_RETURN(
        const std::vector<EditScores> scores,
        scorer->Score({.before = example.before, .caption = example.caption, .output = example.output},
                      {&made, 1}));
    direction += *scores[0].clip_direction;
    image += scores[0].clip_image;
    ++scored;
  }
  if (scored > 0) {
    report.clip_direction = direction / scored;
    report.clip_image = image / scored;
  }
  std::string metrics = absl::StrFormat("{\"step\":%d,\"loss\":%.9g", report.step, report.loss);
  if (scored > 0)
    absl::StrAppendFormat(&metrics, ",\"clip_direction\":%.9g,\"clip_image\":%.9g", *report.clip_direction,
                          *report.clip_image);
  IP2P_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(folder.path(), "/", kValidationFigures), metrics + "}\n"));
  return fs::exists(target, error) ? folder.Replace() : folder.Publish();
}

}  // namespace ip2p
