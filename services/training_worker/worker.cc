// See worker.h.
#include "services/training_worker/worker.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/miniature.h"
#include "common/base/status_macros.h"
#include "common/metrics/metrics_server.h"
#include "common/object_store/object_url.h"
#include "common/storage/read_file.h"
#include "services/training_worker/coordinator_client.h"
#include "services/training_worker/pulse.h"
#include "services/training_worker/worker_metrics.h"
#include "services/training_worker/worker_proto.h"

namespace ip2p::training_worker {
namespace {

namespace v1 = training::v1;

constexpr size_t kMaxSpec = 1 << 20;
constexpr absl::Duration kPatience = absl::Seconds(20);  // after an order to leave at once
constexpr double kSmoothing = 0.9;                       // of the step's duration, for the time that remains

// What every run tells, coordinator or not.
class Observer : public RunObserver {
 public:
  Observer(const std::function<bool()>& stop_asked, WorkerMetrics& metrics)
      : stop_asked_(stop_asked), metrics_(metrics) {}

  void OnStart(int64_t step) override {
    Log(LogLevel::kInfo, "training starts", {{"step", step}});
    metrics_.OnStart(step);
  }
  void OnStep(const StepReport& r) override {
    metrics_.OnStep(r);
    step_ = r.result.step;
    Log(r.result.skipped ? LogLevel::kWarning : LogLevel::kInfo,
        r.result.skipped ? "step left out: not finite" : "step",
        {{"step", r.result.step},
         {"loss", r.result.loss},
         {"lr", r.result.learning_rate},
         {"grad_norm", r.result.grad_norm},
         {"seconds", r.seconds},
         {"data_wait", r.data_wait}});
  }
  void OnCheckpoint(const CheckpointReport&) override { metrics_.OnCheckpoint(); }
  void OnMirrored(const MirrorReport& r) override {
    metrics_.OnMirrored(r);
    if (r.status.ok()) {
      Log(LogLevel::kInfo, "checkpoint stored",
          {{"step", r.step}, {"bytes", r.bytes}, {"seconds", r.seconds}});
    } else {
      Log(LogLevel::kWarning, "a checkpoint is not stored",
          {{"step", r.step}, {"seconds", r.seconds}, {"status", r.status.ToString()}});
    }
  }
  void OnValidation(const ValidationReport& r) override {
    Log(LogLevel::kInfo, "validated",
        {{"step", r.step},
         {"loss", r.loss},
         {"clip_direction", r.clip_direction.value_or(0)},
         {"clip_image", r.clip_image.value_or(0)}});
  }
  RunOrder NextOrder() override {
    if (!stop_asked_()) return {};
    return {.kind = RunOrder::Kind::kSaveAndStop, .at_step = step_};
  }

 protected:
  bool stop_asked() const { return stop_asked_(); }

 private:
  const std::function<bool()>& stop_asked_;
  WorkerMetrics& metrics_;
  int64_t step_ = 0;
};

// Tells a coordinator, too, and takes its orders.
class AttachedObserver final : public Observer {
 public:
  AttachedObserver(const std::function<bool()>& stop_asked, WorkerMetrics& metrics, CoordinatorClient& client,
                   Pulse& pulse, std::string job, const TrainingRunOptions& options)
      : Observer(stop_asked, metrics),
        client_(client),
        pulse_(pulse),
        job_(std::move(job)),
        max_steps_(options.config.max_steps),
        has_mirror_(!options.mirror.empty()) {}

  void OnStep(const StepReport& r) override {
    Observer::OnStep(r);
    mean_seconds_ =
        mean_seconds_ == 0 ? r.seconds : kSmoothing * mean_seconds_ + (1 - kSmoothing) * r.seconds;
    pulse_.SetMetrics(ToProto(r, validation_ ? &*validation_ : nullptr,
                              mean_seconds_ * static_cast<double>(max_steps_ - r.result.step)));
  }
  void OnValidation(const ValidationReport& r) override {
    Observer::OnValidation(r);
    validation_ = r;
  }
  void OnCheckpoint(const CheckpointReport& r) override {
    Observer::OnCheckpoint(r);
    if (has_mirror_) {
      unrecorded_[r.step] = r;
    } else {
      Record(r);
    }
  }
  // The coordinator names a step to all ranks of the next launch, wherever they are: one that each can find.
  void OnMirrored(const MirrorReport& r) override {
    Observer::OnMirrored(r);
    if (!r.status.ok()) return;
    const auto found = unrecorded_.find(r.step);
    if (found != unrecorded_.end()) Record(found->second);
    unrecorded_.erase(unrecorded_.begin(), unrecorded_.upper_bound(r.step));  // older ones are never sent
  }
  RunOrder NextOrder() override {
    if (abandoned_) return {.kind = RunOrder::Kind::kAbandon};
    const RunOrder order = pulse_.order();
    if (order.kind == RunOrder::Kind::kGoOn && stop_asked()) return {.kind = RunOrder::Kind::kStop};
    return order;
  }

 private:
  void Record(const CheckpointReport& r) {
    const absl::Status told = client_.RecordCheckpoint(ToProto(r, job_));
    if (absl::IsAborted(told)) abandoned_ = true;
    if (!told.ok()) Log(LogLevel::kWarning, "a checkpoint is not recorded", {{"status", told.ToString()}});
  }

  CoordinatorClient& client_;
  Pulse& pulse_;
  const std::string job_;
  const int64_t max_steps_;
  const bool has_mirror_;
  std::map<int64_t, CheckpointReport> unrecorded_;  // by step: not at the mirror yet
  double mean_seconds_ = 0;
  std::optional<ValidationReport> validation_;
  bool abandoned_ = false;
};

void TakeMachine(const WorkerConfig& config, TrainingRunOptions& options) {
  options.clip = config.clip;
  options.device = config.device;
  if (config.threads > 0) options.threads = config.threads;
  options.loader_threads = config.loader_threads;
  options.rank = config.rank;
  options.join_timeout = absl::Seconds(config.join_seconds);
  options.peer_timeout = absl::Seconds(config.peer_seconds);
  options.address.own_host = config.host;
}

absl::StatusOr<RunOutcome> RunAlone(const WorkerConfig& config, const Engine& engine,
                                    const std::function<bool()>& stop_asked, WorkerMetrics& metrics) {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadFile(config.spec_file, "the spec", kMaxSpec));
  IP2P_ASSIGN_OR_RETURN(const v1::JobSpec spec, SpecFromJson(text));
  IP2P_ASSIGN_OR_RETURN(TrainingRunOptions options, OptionsFromProto(spec));
  if (config.max_steps > 0) options.config.max_steps = config.max_steps;
  TakeMachine(config, options);
  options.run = config.run_dir;
  options.mirror = config.mirror;
  options.world_size = config.world_size;
  options.address.host = config.store_host;
  options.address.port = config.store_port;
  if (config.world_size > 1 && config.rank == 0) {
    IP2P_ASSIGN_OR_RETURN(options.rendezvous, engine.rendezvous(config.store_port));
  }
  Observer observer(stop_asked, metrics);
  return engine.run(options, observer);
}

// Settings and places of a rank, as the coordinator gives them.
absl::StatusOr<TrainingRunOptions> OptionsOf(const WorkerConfig& config, const Group& group) {
  IP2P_ASSIGN_OR_RETURN(TrainingRunOptions options, OptionsFromProto(group.spec));
  const auto inside = [&](std::string& path) {
    // URLs of an object store are what they are.
    if (!path.empty() && !IsObjectUrl(path)) path = absl::StrCat(config.data_dir, "/", path);
  };
  inside(options.base_checkpoint);
  inside(options.fresh_config);
  if (options.base_checkpoint.empty() && options.fresh_config.empty()) {
    const bool clip = options.config.objective == TrainObjective::kClip;
    IP2P_ASSIGN_OR_RETURN(options.base_checkpoint, FindMiniature(clip ? "clip" : "text-to-image"));
    Log(LogLevel::kWarning, absl::StrCat("no start is named: ", kMiniatureNote));
  }
  inside(options.dataset);
  TakeMachine(config, options);
  options.run =
      absl::StrCat(config.run_dir.empty() ? config.data_dir + "/jobs" : config.run_dir, "/", config.job);
  if (!config.run_dir.empty() && group.mirror.empty())
    return absl::InvalidArgumentError(
        "run_dir is set and the coordinator names no mirror; wants one (--mirror of the coordinator), or the "
        "run would "
        "be lost with this machine");
  options.address.host = group.store_host;
  options.address.port = group.store_port;
  options.mirror = group.mirror;
  options.resume_step = group.resume_step;
  options.resume_latest = false;
  return options;
}

v1::WorkerOutcome OutcomeOf(const absl::StatusOr<RunOutcome>& outcome) {
  if (!outcome.ok())
    return IsFatal(outcome.status()) ? v1::WORKER_OUTCOME_FATAL : v1::WORKER_OUTCOME_RETRYABLE;
  return *outcome == RunOutcome::kDone ? v1::WORKER_OUTCOME_DONE : v1::WORKER_OUTCOME_STOPPED;
}

absl::StatusOr<RunOutcome> RunInGroup(const WorkerConfig& config, const Engine& engine,
                                      const std::function<bool()>& stop_asked, WorkerMetrics& metrics) {
  IP2P_ASSIGN_OR_RETURN(const auto client, CoordinatorClient::Create(config));
  std::shared_ptr<Rendezvous> rendezvous;
  if (config.rank == 0) {
    IP2P_ASSIGN_OR_RETURN(rendezvous, engine.rendezvous(/*port=*/0));
  }
  const absl::StatusOr<Group> group = client->Join(rendezvous ? rendezvous->port() : 0);
  if (absl::IsAborted(group.status())) return RunOutcome::kAbandoned;
  IP2P_RETURN_IF_ERROR(group.status());

  Pulse pulse(*client, group->heartbeat, kPatience, [] {
    Log(LogLevel::kError, "the run does not end as ordered");
    std::_Exit(kRetryable);
  });
  SetLogSink([&pulse](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    pulse.AddLog(line);
  });
  const absl::Cleanup restore = [] { SetLogSink(nullptr); };
  absl::StatusOr<RunOutcome> outcome = RunOutcome::kStopped;
  absl::StatusOr<TrainingRunOptions> options = OptionsOf(config, *group);
  if (options.ok()) {
    options->rendezvous = rendezvous;
    AttachedObserver observer(stop_asked, metrics, *client, pulse, config.job, *options);
    outcome = engine.run(*options, observer);
    // Told to end by the machine, not by the coordinator: to be started again.
    if (outcome.ok() && *outcome == RunOutcome::kStopped && stop_asked() &&
        pulse.order().kind == RunOrder::Kind::kGoOn)
      outcome = absl::UnavailableError("the worker was told to end");
  } else {
    outcome = options.status();
  }
  if (outcome.ok() && *outcome == RunOutcome::kAbandoned) return outcome;  // nobody wants to hear of it
  pulse.Tell();  // the last step's figures, which a heartbeat's interval may hide
  const absl::Status left = client->Leave(OutcomeOf(outcome), std::string(outcome.status().message()));
  if (!left.ok()) Log(LogLevel::kWarning, "the good-bye was not heard", {{"status", left.ToString()}});
  return outcome;
}

}  // namespace

bool IsFatal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

ExitCode ExitCodeOf(const absl::StatusOr<RunOutcome>& outcome) {
  if (!outcome.ok()) return IsFatal(outcome.status()) ? kFatal : kRetryable;
  return *outcome == RunOutcome::kDone ? kDone : kStopped;
}

ExitCode RunWorker(const WorkerConfig& config, const Engine& engine,
                   const std::function<bool()>& stop_asked) {
  WorkerMetrics metrics;
  std::unique_ptr<MetricsServer> metrics_server;
  if (!config.metrics_listen.empty()) {
    auto started = MetricsServer::Start(config.metrics_listen, metrics.registry());
    if (!started.ok()) {
      Log(LogLevel::kError, "no metrics", {{"status", started.status().ToString()}});
      return kRetryable;
    }
    metrics_server = *std::move(started);
  }
  const absl::StatusOr<RunOutcome> outcome = config.attached()
                                                 ? RunInGroup(config, engine, stop_asked, metrics)
                                                 : RunAlone(config, engine, stop_asked, metrics);
  if (!outcome.ok()) Log(LogLevel::kError, "training ends", {{"status", outcome.status().ToString()}});
  if (outcome.ok()) {
    constexpr const char* kEnds[] = {"done", "stopped", "abandoned"};
    Log(LogLevel::kInfo, "training ends", {{"outcome", kEnds[static_cast<int>(*outcome)]}});
  }
  return ExitCodeOf(outcome);
}

}  // namespace ip2p::training_worker
