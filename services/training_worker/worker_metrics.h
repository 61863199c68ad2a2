// The figures of this worker for Prometheus. Thread-safe.
//
//   ip2p_train_loss                         of the last step, mean over all ranks
//   ip2p_train_learning_rate                of the last step
//   ip2p_train_step                         optimizer steps finished
//   ip2p_train_samples_total                samples seen by all ranks since this process started
//   ip2p_train_step_duration_seconds        one step
//   ip2p_train_data_wait_seconds_total      spent waiting for examples
//   ip2p_train_checkpoint_timestamp_seconds when the last checkpoint was published
//   ip2p_train_mirror_uploads_total         checkpoints stored at the mirror
//   ip2p_train_mirror_failures_total        tries to store one that failed
//   ip2p_train_mirror_step                  of the last one that was stored by this process; 0: none yet
//   ip2p_train_restarts_total               1 where this process went on from a checkpoint, else 0
#pragma once

#include <memory>

#include "common/training/run_types.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace ip2p::training_worker {

class WorkerMetrics {
 public:
  WorkerMetrics();

  void OnStart(int64_t step);
  void OnStep(const StepReport& report);
  void OnCheckpoint();
  void OnMirrored(const MirrorReport& report);

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Gauge& loss_;
  prometheus::Gauge& learning_rate_;
  prometheus::Gauge& step_;
  prometheus::Counter& samples_;
  prometheus::Histogram& step_duration_;
  prometheus::Counter& data_wait_;
  prometheus::Gauge& checkpoint_time_;
  prometheus::Counter& mirror_uploads_;
  prometheus::Counter& mirror_failures_;
  prometheus::Gauge& mirror_step_;
  prometheus::Counter& restarts_;
  int64_t last_samples_ = -1;  // of the run's thread
};

}  // namespace ip2p::training_worker
