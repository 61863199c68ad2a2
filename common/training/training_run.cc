// See training_run.h.
#include "common/training/training_run.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/object_store/object_url.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/torch_options.h"
#include "common/storage/make_folder.h"
#include "common/training/example_loader.h"
#include "common/training/example_source.h"
#include "common/training/export_model.h"
#include "common/training/metrics_log.h"
#include "common/training/objective.h"
#include "common/training/rank_group.h"
#include "common/training/run_checkpoint.h"
#include "common/training/run_mirror.h"
#include "common/training/train_start.h"
#include "common/training/trainer.h"
#include "common/training/validation.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kTellOfEncoding = absl::Seconds(30);
constexpr size_t kConfigSample = 16;  // pictures that a network's own config is learned from

bool RunsInBf16(Precision precision, torch::Device device) {
  if (precision == Precision::kAuto && device.is_cuda()) return true;
  return ChoosePrecision(precision, device) == Precision::kBFloat16;
}

// What an order ends by itself, whatever the run has done; nothing for all others.
std::optional<RunOutcome> EndAtOnce(const RunOrder& order) {
  if (order.kind == RunOrder::Kind::kAbandon) return RunOutcome::kAbandoned;
  if (order.kind == RunOrder::Kind::kStop) return RunOutcome::kStopped;
  return std::nullopt;
}

// What one rank holds while it trains.
class Run {
 public:
  Run(const TrainingRunOptions& options, RunObserver& observer) : options_(options), observer_(observer) {}

  absl::Status Prepare();
  // Encodes the examples where they are cached, and opens their loader; an outcome: an order ended the run.
  absl::StatusOr<std::optional<RunOutcome>> OpenLoader();
  absl::StatusOr<RunOutcome> Train();

 private:
  bool first() const { return options_.rank == 0; }
  absl::Status OpenMirror();
  absl::StatusOr<std::optional<RunCheckpoint>> FindCheckpoint(std::optional<int64_t> step);
  absl::Status TakeUp(std::optional<int64_t> step);
  absl::StatusOr<std::optional<int64_t>> StepOfFirst();
  absl::Status Resume();
  absl::Status ClearAway();
  absl::Status Save();
  absl::Status Export();
  absl::Status ExportUnlessThere();
  absl::Status AdjustConfig();
  absl::Status Validate();
  void TellOfMirror();
  bool GoesOnMirroring();
  absl::StatusOr<RunOutcome> Finish(RunOutcome outcome);
  absl::StatusOr<StepReport> Step();
  absl::StatusOr<RunOutcome> TakeSteps();
  std::optional<RunOutcome> EndBeforeTheFirstStep(const RunOrder& order) const;
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
  std::unique_ptr<RunMirror> mirror_;  // null: none
  std::optional<int64_t> mirrored_;    // what the mirror had at the start
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
  IP2P_RETURN_IF_ERROR(MakeFolder(options_.run, "the run's folder"));
  IP2P_RETURN_IF_ERROR(OpenMirror());
  IP2P_RETURN_IF_ERROR(Resume());
  if (first()) {
    // A curve with a gap is no reason to stop.
    const absl::Status copied = mirror_ ? mirror_->RestoreRecords() : absl::OkStatus();
    if (!copied.ok())
      Log(LogLevel::kWarning, "no former metrics or validations", {{"status", copied.ToString()}});
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
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RunOutcome>> Run::OpenLoader() {
  const TrainConfig& config = options_.config;
  const AugmentConfig augment{.crop = config.resolution,
                              .min_resize = MinResize(config),
                              .max_resize = MaxResize(config),
                              .flip = config.random_flip};
  ExampleLoader::Options loader{.share = trainer_->share(),
                                .augment = augment,
                                .seed = config.seed,
                                .group = config.group_size,
                                .first_step = trainer_->step(),
                                .threads = options_.loader_threads,
                                .ahead = 2 * trainer_->share().rows()};
  if (config.cache_latents) {
    Objective& learner = trainer_->objective();
    std::optional<RunOutcome> end;
    absl::Time told = absl::InfinitePast();
    const absl::Status cached = learner.Cache(*examples_, augment, options_.run, [&](int64_t done) {
      if (absl::Now() - told > kTellOfEncoding) {
        told = absl::Now();
        Log(LogLevel::kInfo, "examples are encoded", {{"done", done}, {"of", examples_->size()}});
      }
      end = EndBeforeTheFirstStep(observer_.NextOrder());
      return !end.has_value();
    });
    if (end.has_value()) return end;
    IP2P_RETURN_IF_ERROR(cached);
    loader.cached = [&learner](int64_t index, int64_t choice) { return learner.InCache(index, choice); };
  }
  loader_ = std::make_unique<ExampleLoader>(*examples_, loader);
  return std::nullopt;
}

// Nothing was learned since the checkpoint or the start, so there is nothing to save. A step that other ranks
// are to reach is still to come.
std::optional<RunOutcome> Run::EndBeforeTheFirstStep(const RunOrder& order) const {
  const bool at_its_step = options_.world_size == 1 || order.at_step <= trainer_->step();
  if (order.kind == RunOrder::Kind::kSaveAndStop && at_its_step) return RunOutcome::kStopped;
  return EndAtOnce(order);
}

absl::Status Run::OpenMirror() {
  if (options_.mirror.empty()) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(ObjectUrl url, ParseObjectUrl(options_.mirror));
  IP2P_ASSIGN_OR_RETURN(mirror_, RunMirror::Open({.run = options_.run,
                                                  .url = std::move(url),
                                                  .config_digest = TrainConfigDigest(options_.config),
                                                  .keep = options_.config.keep_checkpoints}));
  if (!first()) return absl::OkStatus();
  const absl::StatusOr<std::optional<int64_t>> checked = mirror_->Check();
  if (checked.ok()) {
    mirrored_ = *checked;
    return absl::OkStatus();
  }
  // One that is away does not hold up a run that can do without.
  const bool may_pass = absl::IsUnavailable(checked.status()) || absl::IsDeadlineExceeded(checked.status());
  IP2P_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> here, ListRunCheckpoints(options_.run));
  const bool needed = here.empty() && (options_.resume_step.has_value() || options_.resume_latest);
  if (!may_pass || needed) return checked.status();
  Log(LogLevel::kWarning, "the mirror is away", {{"status", checked.status().ToString()}});
  return absl::OkStatus();
}

// In the run's folder, or at the mirror where the folder has none or the mirror is farther. Nothing: the
// start.
absl::StatusOr<std::optional<RunCheckpoint>> Run::FindCheckpoint(std::optional<int64_t> step) {
  absl::StatusOr<RunCheckpoint> here = LoadRunCheckpoint(options_.run, step);
  const bool lacking = absl::IsNotFound(here.status()) || absl::IsDataLoss(here.status());
  const bool behind = here.ok() && !step.has_value() && mirrored_ > here->state.step;
  if (mirror_ && (lacking || behind)) {
    const absl::StatusOr<int64_t> restored = mirror_->Restore(step);
    if (restored.ok() && (lacking || *restored > here->state.step)) {
      here = LoadRunCheckpoint(options_.run, *restored);
    } else if (lacking && !absl::IsNotFound(restored.status())) {
      return restored.status();
    }
  }
  if (absl::IsNotFound(here.status()) && !step.has_value()) return std::optional<RunCheckpoint>();
  IP2P_RETURN_IF_ERROR(here.status());
  return std::optional<RunCheckpoint>(*std::move(here));
}

absl::Status Run::TakeUp(std::optional<int64_t> step) {
  IP2P_ASSIGN_OR_RETURN(const std::optional<RunCheckpoint> checkpoint, FindCheckpoint(step));
  if (!checkpoint.has_value()) return absl::OkStatus();
  IP2P_RETURN_IF_ERROR(trainer_->Restore(*checkpoint));
  saved_step_ = trainer_->step();
  if (!first()) return absl::OkStatus();
  IP2P_RETURN_IF_ERROR(SetLatest(options_.run, saved_step_));
  IP2P_RETURN_IF_ERROR(ExportUnlessThere());
  // As a rule it is there; where a former try to store it failed, this one makes up for it.
  if (mirror_) mirror_->Offer(saved_step_, /*anew=*/false);
  return absl::OkStatus();
}

// Rank 0's, told to all; nothing: it starts from the start. Every rank waits here for rank 0.
absl::StatusOr<std::optional<int64_t>> Run::StepOfFirst() {
  // Where ranks share no disk, the others find it at the mirror alone; where they do, it may be away.
  if (first() && saved_step_ >= 0) {
    const absl::Status stored = mirror_->Finish([this] { return GoesOnMirroring(); });
    if (!stored.ok()) Log(LogLevel::kWarning, "the mirror lags behind", {{"status", stored.ToString()}});
  }
  torch::Tensor sum = torch::full({1}, first() ? saved_step_ + 1 : 0,
                                  trainer_->parameters().weights().options().dtype(torch::kInt64));
  group_->StartSum(sum)->Wait();
  const int64_t step = sum.item<int64_t>() - 1;
  return step < 0 ? std::optional<int64_t>() : std::optional(step);
}

absl::Status Run::Resume() {
  if (first()) RemoveLeftovers(options_.run);
  if (!options_.resume_step.has_value() && !options_.resume_latest) return absl::OkStatus();
  const bool together = mirror_ && group_;
  if (first() || !together) IP2P_RETURN_IF_ERROR(TakeUp(options_.resume_step));
  if (!together) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const std::optional<int64_t> step, StepOfFirst());
  return first() || !step.has_value() ? absl::OkStatus() : TakeUp(step);
}

absl::Status Run::ClearAway() {
  IP2P_RETURN_IF_ERROR(KeepLast(options_.run, options_.config.keep_checkpoints,
                                mirror_ ? mirror_->in_use() : std::set<int64_t>()));
  RemoveOldExports(options_.run);
  return absl::OkStatus();
}

absl::Status Run::Save() {
  if (!first() || saved_step_ == trainer_->step()) return absl::OkStatus();
  const absl::Time start = absl::Now();
  IP2P_ASSIGN_OR_RETURN(const int64_t bytes, SaveRunCheckpoint(options_.run, trainer_->Snapshot()));
  saved_step_ = trainer_->step();
  IP2P_RETURN_IF_ERROR(ClearAway());
  IP2P_RETURN_IF_ERROR(Export());
  Log(LogLevel::kInfo, "checkpoint saved",
      {{"step", saved_step_}, {"bytes", bytes}, {"seconds", absl::ToDoubleSeconds(absl::Now() - start)}});
  observer_.OnCheckpoint(
      {.step = saved_step_, .bytes = bytes, .loss = trainer_->state().loss, .validation = last_validation_});
  if (mirror_) mirror_->Offer(saved_step_);
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
  if (const std::optional<RunOutcome> end = EndAtOnce(order)) return end;
  if (order.kind == RunOrder::Kind::kGoOn || trainer_->step() < order.at_step) return std::nullopt;
  if (order.kind == RunOrder::Kind::kSaveAndStop) {
    IP2P_ASSIGN_OR_RETURN(const RunOutcome end, Finish(RunOutcome::kStopped));
    return end;
  }
  if (order.at_step > obeyed_save_) {  // an order is repeated until it is seen to be obeyed
    obeyed_save_ = order.at_step;
    IP2P_RETURN_IF_ERROR(Save());
  }
  return std::nullopt;
}

void Run::TellOfMirror() {
  if (!mirror_) return;
  for (const MirrorReport& report : mirror_->TakeReports()) observer_.OnMirrored(report);
}

// While the run waits for the mirror.
bool Run::GoesOnMirroring() {
  TellOfMirror();
  const RunOrder::Kind order = observer_.NextOrder().kind;
  return order != RunOrder::Kind::kStop && order != RunOrder::Kind::kAbandon;
}

// Saves and ends. Whoever goes on elsewhere finds at the mirror what is here.
absl::StatusOr<RunOutcome> Run::Finish(RunOutcome outcome) {
  IP2P_RETURN_IF_ERROR(Save());
  if (!first() || !mirror_) return outcome;
  const absl::Status stored = mirror_->Finish([this] { return GoesOnMirroring(); });
  TellOfMirror();
  if (absl::IsCancelled(stored)) {
    const bool abandoned = observer_.NextOrder().kind == RunOrder::Kind::kAbandon;
    return abandoned ? RunOutcome::kAbandoned : RunOutcome::kStopped;
  }
  IP2P_RETURN_IF_ERROR(stored);
  IP2P_RETURN_IF_ERROR(ClearAway());  // what was on its way
  return outcome;
}

absl::StatusOr<RunOutcome> Run::TakeSteps() {
  const TrainConfig& config = options_.config;
  observer_.OnStart(trainer_->step());
  obeyed_save_ = trainer_->step();
  while (trainer_->step() < config.max_steps) {
    IP2P_ASSIGN_OR_RETURN(const StepReport report, Step());
    if (metrics_.has_value()) IP2P_RETURN_IF_ERROR(metrics_->Append(report));
    observer_.OnStep(report);
    TellOfMirror();
    const int64_t step = trainer_->step();
    if (config.validate_every > 0 && step % config.validate_every == 0) IP2P_RETURN_IF_ERROR(Validate());
    // An order comes first: one to abandon means that another launch writes these files by now.
    IP2P_ASSIGN_OR_RETURN(const std::optional<RunOutcome> end, Obey(observer_.NextOrder()));
    if (end.has_value()) return *end;
    if (step % config.checkpoint_every == 0) IP2P_RETURN_IF_ERROR(Save());
  }
  return Finish(RunOutcome::kDone);
}

absl::StatusOr<RunOutcome> Run::Train() {
  absl::StatusOr<RunOutcome> outcome = TakeSteps();
  if (outcome.ok() || !first() || !mirror_) return outcome;
  // The last good checkpoint of a run that fails is worth as much; the failure is what is told.
  const absl::Status stored = mirror_->Finish([this] { return GoesOnMirroring(); });
  TellOfMirror();
  if (!stored.ok()) Log(LogLevel::kWarning, "the mirror lags behind", {{"status", stored.ToString()}});
  return outcome;
}

}  // namespace

absl::StatusOr<RunOutcome> RunTraining(const TrainingRunOptions& options, RunObserver& observer) {
  absl::StatusOr<RunOutcome> outcome = CatchTorch("training", [&]() -> absl::StatusOr<RunOutcome> {
    Run run(options, observer);
    IP2P_RETURN_IF_ERROR(run.Prepare());
    IP2P_ASSIGN_OR_RETURN(const std::optional<RunOutcome> end, run.OpenLoader());
    return end.has_value() ? *end : run.Train();
  });
  // Between ranks, what torch throws is a lost peer as a rule.
  if (options.world_size > 1 && absl::IsInternal(outcome.status()))
    return absl::UnavailableError(outcome.status().message());
  return outcome;
}

}  // namespace ip2p
