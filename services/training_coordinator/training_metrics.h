// The figures of this server for Prometheus. Thread-safe. Of several jobs with one objective, the gauges show
// the one that reported last.
//
//   ip2p_train_jobs{state}                         jobs by state
//   ip2p_train_slots{kind,use}                     cpu and gpu slots, free and taken
//   ip2p_train_loss{objective}                     of the last step, mean over ranks
//   ip2p_train_learning_rate{objective}            of the last step
//   ip2p_train_step{objective}                     optimizer steps finished
//   ip2p_train_samples_total{objective}            samples seen, all ranks
//   ip2p_train_step_duration_seconds{objective}    of the steps that heartbeats told of
//   ip2p_train_data_wait_seconds_total{objective}  time that steps waited for data
//   ip2p_train_validation_loss{objective}          of the last validation
//   ip2p_train_checkpoint_timestamp_seconds{objective}  when the last checkpoint was recorded
//   ip2p_train_restarts_total{objective}           groups that were restarted after a lost rank
//   ip2p_train_requests_total{method,code}         finished calls by gRPC code
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "services/training_coordinator/decisions.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

class TrainingMetrics {
 public:
  TrainingMetrics();

  void OnCall(const char* method, absl::StatusCode code);
  // `before`: what the same launch told last, if it did.
  void OnFigures(const std::string& objective, const std::optional<StepFigures>& before,
                 const StepFigures& figures);
  void OnCheckpoint(const std::string& objective, absl::Time when);
  void OnRestart(const std::string& objective);
  void SetJobs(const std::map<JobState, int>& by_state);
  void SetSlots(const char* kind, int free, int taken);

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Gauge>& jobs_;
  prometheus::Family<prometheus::Gauge>& slots_;
  prometheus::Family<prometheus::Gauge>& loss_;
  prometheus::Family<prometheus::Gauge>& learning_rate_;
  prometheus::Family<prometheus::Gauge>& step_;
  prometheus::Family<prometheus::Counter>& samples_;
  prometheus::Family<prometheus::Histogram>& step_duration_;
  prometheus::Family<prometheus::Counter>& data_wait_;
  prometheus::Family<prometheus::Gauge>& validation_loss_;
  prometheus::Family<prometheus::Gauge>& checkpoint_time_;
  prometheus::Family<prometheus::Counter>& restarts_;
  prometheus::Family<prometheus::Counter>& calls_;
};

}  // namespace ip2p::training_coordinator
