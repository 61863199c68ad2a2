// Admits requests and makes their pairs: one thread a model, first come first served. Bounded: at most
// queue_limit requests wait for a model, at most client_limit belong to one caller.
//
// A request whose caller leaves is out at once while it waits, and at the next denoising step while it runs.
// Thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "services/pair_generator/pair_metrics.h"
#include "services/pair_generator/pair_task.h"

namespace ip2p::pair_generator {

struct QueueLimits {
  int queue_limit = 16;  // requests that wait for one model
  int client_limit = 0;  // waiting and running requests of one caller; 0: unlimited
};

// What a model can do, without holding it.
struct ModelFacts {
  std::string name;
  std::string precision;
  bool clip = false;
  bool safety_checker = false;
  int native_resolution = 0;  // px
  int batch_size = 0;         // at that resolution
};

class PairQueue {
 public:
  PairQueue(PairMetrics& metrics, const QueueLimits& limits, const Clock* clock = Clock::Real());
  ~PairQueue();  // gives up what is left and waits for it

  // The first is the default. Starts its thread.
  void AddModel(const std::string& name, std::unique_ptr<PairSampler> sampler);
  std::vector<ModelFacts> Models() const;

  struct Run;
  using Ticket = std::shared_ptr<Run>;

  // Admits a request; `listener` hears OnAdmitted before this returns and must live until OnDone. On an error
  // it hears nothing. `deadline` is on the real clock. Errors: NOT_FOUND (model), UNAVAILABLE (shutting down,
  // or no model is loaded yet), INVALID_ARGUMENT (another precision than the model's), FAILED_PRECONDITION
  // (thresholds without CLIP), RESOURCE_EXHAUSTED with a time to retry after (queue or quota),
  // DEADLINE_EXCEEDED (nearer than half of the estimate).
  absl::StatusOr<Ticket> Start(PairTask task, absl::Time deadline, PairListener* listener);
  // The caller doesn't want to wait any longer. OnDone(status) comes, perhaps on this stack, unless it
  // already has.
  void Leave(const Ticket& ticket, const absl::Status& status);

  // From now on Start says UNAVAILABLE; admitted requests go on.
  void StopAdmitting();
  // True when nothing is left; false when the deadline (on the real clock) came first.
  bool WaitIdle(absl::Time deadline) const;
  // Ends all that is left with `status`.
  void GiveUp(const absl::Status& status);

  int waiting() const;

 private:
  struct Lane;

  absl::StatusOr<Lane*> Find(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoom(const Lane& lane, const PairTask& task, absl::Time deadline,
                         absl::Duration estimate) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration Backlog(const Lane& lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A lane's thread.
  void Work(Lane* lane);
  absl::Status Make(Lane& lane, Run& run);
  absl::Status MakePrompt(Lane& lane, Run& run, size_t position);
  absl::Status OnStep(Run& run, int64_t prompt_index, const PairStep& step);
  void End(const Ticket& run, const absl::Status& status);

  PairMetrics& metrics_;
  const QueueLimits limits_;
  const Clock* const clock_;

  mutable absl::Mutex mutex_;  // never held while a listener is called, but for OnAdmitted
  bool admitting_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;  // admitted, OnDone not yet over
  std::vector<std::unique_ptr<Lane>> lanes_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> requests_of_caller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::pair_generator
