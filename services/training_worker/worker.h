// A worker from its settings to its exit code. No torch: the run itself is given.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/training/rendezvous.h"
#include "common/training/run_types.h"
#include "common/training/training_run.h"
#include "services/training_worker/config.h"

namespace ip2p::training_worker {

// The parts that need torch; tests bring others.
struct Engine {
  std::function<absl::StatusOr<RunOutcome>(const TrainingRunOptions&, RunObserver&)> run;
  std::function<absl::StatusOr<std::shared_ptr<Rendezvous>>(int port)> rendezvous;
};
Engine TorchEngine();

// What the launcher goes by (k8s: FailIndex on 42).
enum ExitCode { kDone = 0, kRetryable = 1, kStopped = 3, kFatal = 42 };

// Whether another try would end alike.
bool IsFatal(const absl::Status& status);
ExitCode ExitCodeOf(const absl::StatusOr<RunOutcome>& outcome);

// Runs to the end. `stop_asked` says whether the process was told to end (SIGTERM): a worker alone saves and
// stops, one of a coordinator leaves to be started again.
ExitCode RunWorker(const WorkerConfig& config, const Engine& engine, const std::function<bool()>& stop_asked);

}  // namespace ip2p::training_worker
