// Names and helps of the metrics; what each means is in the header.
#include "services/training_coordinator/training_metrics.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/metrics/buckets.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name,
                                              const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace

TrainingMetrics::TrainingMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      jobs_(Gauges(*registry_, "ip2p_train_jobs", "Jobs by state")),
      slots_(Gauges(*registry_, "ip2p_train_slots", "Slots by kind and use")),
      loss_(Gauges(*registry_, "ip2p_train_loss", "Mean loss of the last step")),
      learning_rate_(Gauges(*registry_, "ip2p_train_learning_rate", "Learning rate of the last step")),
      step_(Gauges(*registry_, "ip2p_train_step", "Optimizer steps finished")),
      samples_(Counters(*registry_, "ip2p_train_samples_total", "Samples seen by all ranks")),
      step_duration_(prometheus::BuildHistogram()
                         .Name("ip2p_train_step_duration_seconds")
                         .Help("Optimizer steps that heartbeats told of")
                         .Register(*registry_)),
      data_wait_(
          Counters(*registry_, "ip2p_train_data_wait_seconds_total", "Time that steps waited for data")),
      validation_loss_(Gauges(*registry_, "ip2p_train_validation_loss", "Mean loss of the last validation")),
      checkpoint_time_(Gauges(*registry_, "ip2p_train_checkpoint_timestamp_seconds",
                              "When the last checkpoint was recorded, in seconds since 1970")),
      restarts_(Counters(*registry_, "ip2p_train_restarts_total", "Groups restarted after a lost rank")),
      calls_(Counters(*registry_, "ip2p_train_requests_total", "Finished calls by method and gRPC code")) {}

void TrainingMetrics::OnCall(const char* method, absl::StatusCode code) {
  calls_.Add({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Increment();
}

void TrainingMetrics::OnFigures(const std::string& objective, const std::optional<StepFigures>& before,
                                const StepFigures& figures) {
  const prometheus::Labels labels{{"objective", objective}};
  loss_.Add(labels).Set(figures.loss);
  learning_rate_.Add(labels).Set(figures.learning_rate);
  step_.Add(labels).Set(static_cast<double>(figures.step));
  if (figures.validation) validation_loss_.Add(labels).Set(figures.validation->loss);
  if (!before || figures.step <= before->step) return;
  const double seconds = absl::ToDoubleSeconds(figures.step_duration);
  const auto steps = static_cast<double>(figures.step - before->step);
  samples_.Add(labels).Increment(
      static_cast<double>(std::max<int64_t>(0, figures.samples - before->samples)));
  step_duration_.Add(labels, StepBuckets()).Observe(seconds);
  data_wait_.Add(labels).Increment(std::max(0.0, figures.data_wait_share * seconds * steps));
}

void TrainingMetrics::OnCheckpoint(const std::string& objective, absl::Time when) {
  checkpoint_time_.Add({{"objective", objective}}).Set(static_cast<double>(absl::ToUnixSeconds(when)));
}

void TrainingMetrics::OnRestart(const std::string& objective) {
  restarts_.Add({{"objective", objective}}).Increment();
}

void TrainingMetrics::SetJobs(const std::map<JobState, int>& by_state) {
  for (const auto& [state, count] : by_state) {
    jobs_.Add({{"state", absl::AsciiStrToLower(StateName(state))}}).Set(count);
  }
}

void TrainingMetrics::SetSlots(const char* kind, int free, int taken) {
  slots_.Add({{"kind", kind}, {"use", "free"}}).Set(free);
  slots_.Add({{"kind", kind}, {"use", "taken"}}).Set(taken);
}

}  // namespace ip2p::training_coordinator
