// See training_run.h.
#include "common/training/training_run.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/torch_options.h"
#include "common/storage/io_error.h"
#include "common/training/example_loader.h"
#include "common/training/example_source.h"
#include "common/training/export_model.h"
#include "common/training/metrics_log.h"
#include "common/training/objective.h"
#include "common/training/rank_group.h"
#include "common/training/run_checkpoint.h"
#include "common/training/train_start.h"
#include "common/training/trainer.h"
#include "common/training/validation.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kConfigSample = 16;  // pictures that a network's own config is learned from

bool RunsInBf16(Precision precision, torch::Device device) {
  if (precision == Precision::kAuto && device.is_cuda()) return true;
  return ChoosePrecision(precision, device) == Precision::kBFloat16;
}

// What one rank holds while it trains.
class Run {
 public:
  Run(const TrainingRunOptions& options, RunObserver& observer) : options_(options), observer_(observer) {}

  absl::Status Prepare();
  absl::StatusOr<RunOutcome> Train();

 private:
  bool first() const { return options_.rank == 0; }
  absl::Status Resume();
  absl::Status Save();
  absl::Status Export();
  absl::Status ExportUnlessThere();
  absl::Status AdjustConfig();
  absl::Status Validate();
  absl::StatusOr<RunOutcome> Finish();
  absl::StatusOr<StepReport> Step();
  // Obeys an order; says whether the run ends by it.
  absl::StatusOr<std::optional<RunOutcome>> Obey(const RunOrder& order);

  const TrainingRunOptions& options_;
  RunObserver& observer_;
  TrainStart start_;
  std::unique_ptr<RankGroup> group_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<const ExampleSource> examples_;
  std::unique_ptr<ExampleLoader> loader_;
  std::optional<Validation> validation_;
  std::optional<ValidationReport> last_validation_;
  std::optional<MetricsLog> metrics_;
  int64_t saved_step_ = -1;
  int64_t obeyed_save_ = -1;  // the at_step of the last order to save
};

absl::Status Run::Prepare() {
  const TrainConfig& config = options_.config;
  IP2P_RETURN_IF_ERROR(ValidateTrainConfig(config, options_.world_size));
  if (options_.base_checkpoint.empty() == options_.fresh_config.empty())
    return absl::InvalidArgumentError(
        "the start is given twice or not at all; wants one of base_checkpoint, fresh_config");
  IP2P_ASSIGN_OR_RETURN(const torch::Device device, ParseDevice(options_.device));
  if (options_.threads > 0) at::set_num_threads(options_.threads);
  IP2P_ASSIGN_OR_RETURN(examples_, OpenExamples(options_.dataset, config.objective, Split::kTrain));
  IP2P_ASSIGN_OR_RETURN(start_, options_.fresh_config.empty() ? OpenStart(options_.base_checkpoint, config)
                                                              : FreshStart(options_.fresh_config, config));
  IP2P_ASSIGN_OR_RETURN(
      std::unique_ptr<Objective> objective,
      CreateObjective(config, start_, {.device = device, .bf16 = RunsInBf16(config.precision, device)}));
  if (options_.world_size > 1) {
    IP2P_ASSIGN_OR_RETURN(
        group_,
        RankGroup::Create(options_.rank, options_.world_size, options_.address, options_.rendezvous.get(),
                          device, {.join = options_.join_timeout, .peer = options_.peer_timeout}));
  }
  trainer_ = std::make_unique<Trainer>(config, std::move(objective), group_.get());
  ForgetLearned(start_, trainer_->parameters().names());
  std::error_code error;
  fs::create_directories(options_.run, error);
  if (error) return IoError(error.value(), "the run's folder cannot be made");
  IP2P_RETURN_IF_ERROR(Resume());
  IP2P_RETURN_IF_ERROR(ExportUnlessThere());
  if (first()) {
    IP2P_ASSIGN_OR_RETURN(MetricsLog metrics, MetricsLog::Open(options_.run, trainer_->step()));
    metrics_.emplace(std::move(metrics));
  }
  if (first() && config.validate_every > 0) {
    IP2P_ASSIGN_OR_RETURN(validation_,
                          Validation::Create(options_.dataset, config, start_, trainer_->objective(),
                                             {.run = options_.run,
                                              .clip = options_.clip,
                                              .device = options_.device,
                                              .threads = options_.threads}));
  }
  const AugmentConfig augment{.crop = config.resolution,
                              .min_resize = MinResize(config),
                              .max_resize = MaxResize(config),
                              .flip = config.random_flip};
  ExampleLoader::Options loader{.share = trainer_->share(),
                                .augment = augment,
                                .seed = config.seed,
                                .first_step = trainer_->step(),
                                .threads = options_.loader_threads,
                                .ahead = 2 * trainer_->share().rows()};
  if (config.cache_latents) {
    Objective& learner = trainer_->objective();
    IP2P_RETURN_IF_ERROR(learner.Cache(*examples_, augment, options_.run));
    loader.cached = [&learner](int64_t index, int64_t choice) { return learner.InCache(index, choice); };
  }
  loader_ = std::make_unique<ExampleLoader>(*examples_, loader);
  return absl::OkStatus();
}

absl::Status Run::Resume() {
  if (first()) RemoveLeftovers(options_.run);
  if (!options_.resume_step.has_value() && !options_.resume_latest) return absl::OkStatus();
  const absl::StatusOr<RunCheckpoint> checkpoint = LoadRunCheckpoint(options_.run, options_.resume_step);
  if (absl::IsNotFound(checkpoint.status()) && !options_.resume_step.has_value()) return absl::OkStatus();
  IP2P_RETURN_IF_ERROR(checkpoint.status());
  IP2P_RETURN_IF_ERROR(trainer_->Restore(*checkpoint));
  saved_step_ = trainer_->step();
  return first() ? SetLatest(options_.run, saved_step_) : absl::OkStatus();
}

absl::Status Run::Save() {
  if (!first() || saved_step_ == trainer_->step()) return absl::OkStatus();
  const absl::Time start = absl::Now();
  IP2P_ASSIGN_OR_RETURN(const int64_t bytes, SaveRunCheckpoint(options_.run, trainer_->Snapshot()));
  saved_step_ = trainer_->step();
  IP2P_RETURN_IF_ERROR(KeepLast(options_.run, options_.config.keep_checkpoints));
  IP2P_RETURN_IF_ERROR(Export());
  RemoveOldExports(options_.run);
  Log(LogLevel::kInfo, "checkpoint saved",
      {{"step", saved_step_}, {"bytes", bytes}, {"seconds", absl::ToDoubleSeconds(absl::Now() - start)}});
  observer_.OnCheckpoint(
      {.step = saved_step_, .bytes = bytes, .loss = trainer_->state().loss, .validation = last_validation_});
  return absl::OkStatus();
}

absl::Status Run::Export() {
  if (!options_.fresh_config.empty()) IP2P_RETURN_IF_ERROR(AdjustConfig());
  return ExportModel(start_, trainer_->ExportedWeights(), ExportPath(options_.run, trainer_->step()));
}

// A process that was killed between the two has its checkpoint, but not its export.
absl::Status Run::ExportUnlessThere() {
  std::error_code error;
  if (!first() || saved_step_ != trainer_->step()) return absl::OkStatus();
  if (fs::exists(ExportPath(options_.run, saved_step_), error)) return absl::OkStatus();
  return Export();
}

// By the first examples, so that it follows from weights and dataset alone.
absl::Status Run::AdjustConfig() {
  if (options_.config.objective != TrainObjective::kAutoencoder) return absl::OkStatus();
  const AugmentConfig plain = PlainCrop(options_.config.resolution);
  std::vector<Example> sample;
  for (int64_t i = 0; i < examples_->size() && sample.size() < kConfigSample; ++i) {
    const absl::StatusOr<RawExample> raw = examples_->Get(i, /*choice=*/0);
    if (absl::IsUnavailable(raw.status())) return raw.status();
    absl::StatusOr<Example> example = raw.ok() ? AugmentAs(*raw, plain, /*mirrored=*/false) : raw.status();
    if (example.ok()) sample.push_back(*std::move(example));
  }
  if (sample.empty()) return absl::FailedPreconditionError("the first examples are all damaged");
  const Trainer::Averaged averaged(*trainer_);
  Objective& objective = trainer_->objective();
  objective.AdjustConfig(objective.MakeBatch(sample, {}), start_.model.config);
  return absl::OkStatus();
}

absl::Status Run::Validate() {
  if (!validation_.has_value()) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(last_validation_, validation_->Run(*trainer_));
  observer_.OnValidation(*last_validation_);
  return absl::OkStatus();
}

absl::StatusOr<StepReport> Run::Step() {
  const absl::Time start = absl::Now();
  const absl::Duration waited = loader_->waited();
  IP2P_ASSIGN_OR_RETURN(const StepResult result, trainer_->Step([this] { return loader_->Next(); }));
  return StepReport{.result = result,
                    .seconds = absl::ToDoubleSeconds(absl::Now() - start),
                    .data_wait = absl::ToDoubleSeconds(loader_->waited() - waited),
                    .samples = result.step * options_.config.batch_size};
}

absl::StatusOr<std::optional<RunOutcome>> Run::Obey(const RunOrder& order) {
  switch (order.kind) {
    case RunOrder::Kind::kGoOn:
      return std::nullopt;
    case RunOrder::Kind::kAbandon:
      return RunOutcome::kAbandoned;
    case RunOrder::Kind::kStop:
      return RunOutcome::kStopped;
    default:
      break;
  }
  if (trainer_->step() < order.at_step) return std::nullopt;
  if (order.kind == RunOrder::Kind::kSaveAndStop) {
    IP2P_RETURN_IF_ERROR(Save());
    return RunOutcome::kStopped;
  }
  if (order.at_step > obeyed_save_) {  // an order is repeated until it is seen to be obeyed
    obeyed_save_ = order.at_step;
    IP2P_RETURN_IF_ERROR(Save());
  }
  return std::nullopt;
}

absl::StatusOr<RunOutcome> Run::Finish() {
  IP2P_RETURN_IF_ERROR(Save());
  return RunOutcome::kDone;
}

absl::StatusOr<RunOutcome> Run::Train() {
  const TrainConfig& config = options_.config;
  observer_.OnStart(trainer_->step());
  obeyed_save_ = trainer_->step();
  while (trainer_->step() < config.max_steps) {
    IP2P_ASSIGN_OR_RETURN(const StepReport report, Step());
    if (metrics_.has_value()) IP2P_RETURN_IF_ERROR(metrics_->Append(report));
    observer_.OnStep(report);
    const int64_t step = trainer_->step();
    if (config.validate_every > 0 && step % config.validate_every == 0) IP2P_RETURN_IF_ERROR(Validate());
    // An order comes first: one to abandon means that another launch writes these files by now.
    IP2P_ASSIGN_OR_RETURN(const std::optional<RunOutcome> end, Obey(observer_.NextOrder()));
    if (end.has_value()) return *end;
    if (step % config.checkpoint_every == 0) IP2P_RETURN_IF_ERROR(Save());
  }
  return Finish();
}

}  // namespace

absl::StatusOr<RunOutcome> RunTraining(const TrainingRunOptions& options, RunObserver& observer) {
  absl::StatusOr<RunOutcome> outcome = CatchTorch("training", [&]() -> absl::StatusOr<RunOutcome> {
    Run run(options, observer);
    IP2P_RETURN_IF_ERROR(run.Prepare());
    return run.Train();
  });
  // Between ranks, what torch throws is a lost peer as a rule.
  if (options.world_size > 1 && absl::IsInternal(outcome.status()))
    return absl::UnavailableError(outcome.status().message());
  return outcome;
}

}  // namespace ip2p
