// Names and helps of the metrics; what each means is in the header.
#include "services/training_worker/worker_metrics.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/metrics/buckets.h"

namespace ip2p::training_worker {
namespace {

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

WorkerMetrics::WorkerMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      loss_(Gauge(*registry_, "ip2p_train_loss", "Loss of the last step")),
      learning_rate_(Gauge(*registry_, "ip2p_train_learning_rate", "Learning rate of the last step")),
      step_(Gauge(*registry_, "ip2p_train_step", "Optimizer steps finished")),
      samples_(Counter(*registry_, "ip2p_train_samples_total", "Samples seen by all ranks")),
      step_duration_(prometheus::BuildHistogram()
                         .Name("ip2p_train_step_duration_seconds")
                         .Help("One optimizer step")
                         .Register(*registry_)
                         .Add({}, StepBuckets())),
      data_wait_(Counter(*registry_, "ip2p_train_data_wait_seconds_total", "Waiting for examples")),
      checkpoint_time_(Gauge(*registry_, "ip2p_train_checkpoint_timestamp_seconds",
                             "When the last checkpoint was published")),
      mirror_uploads_(
          Counter(*registry_, "ip2p_train_mirror_uploads_total", "Checkpoints stored at the mirror")),
      mirror_failures_(
          Counter(*registry_, "ip2p_train_mirror_failures_total", "Tries to store a checkpoint that failed")),
      mirror_step_(
          Gauge(*registry_, "ip2p_train_mirror_step", "Step of the last checkpoint stored at the mirror")),
      restarts_(Counter(*registry_, "ip2p_train_restarts_total", "Starts from a checkpoint")) {}

void WorkerMetrics::OnStart(int64_t step) {
  step_.Set(static_cast<double>(step));
  if (step > 0) restarts_.Increment();
}

void WorkerMetrics::OnStep(const StepReport& report) {
  loss_.Set(report.result.loss);
  learning_rate_.Set(report.result.learning_rate);
  step_.Set(static_cast<double>(report.result.step));
  const int64_t batch = report.samples / report.result.step;
  samples_.Increment(static_cast<double>(last_samples_ < 0 ? batch : report.samples - last_samples_));
  last_samples_ = report.samples;
  step_duration_.Observe(report.seconds);
  data_wait_.Increment(report.data_wait);
}

void WorkerMetrics::OnCheckpoint() {
  checkpoint_time_.Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
}

void WorkerMetrics::OnMirrored(const MirrorReport& report) {
  if (!report.status.ok()) {
    mirror_failures_.Increment();
    return;
  }
  mirror_uploads_.Increment();
  mirror_step_.Set(static_cast<double>(report.step));
}

}  // namespace ip2p::training_worker
