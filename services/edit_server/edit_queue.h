// Admits edits, feeds the engines, hands answers to all who wait. Bounded: at most queue_limit edits wait, at
// most client_limit belong to one caller, and remembered answers have a bound of bytes.
//
// An edit's way: Start (caller's thread: admit) -> decode the photo (codec thread) -> engine (its thread) ->
// encode the answer (codec thread) -> listeners. Thread-safe. A masked edit keeps the photo's file meanwhile,
// and its pixels are decoded again around the answer: 20 MB at most, not 75.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "services/edit_server/answer_memory.h"
#include "services/edit_server/edit_metrics.h"
#include "services/edit_server/edit_run.h"
#include "services/edit_server/edit_task.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

struct QueueLimits {
  int queue_limit = 16;  // edits that wait, 1 or more
  int client_limit = 0;  // waiting and running edits of one caller; 0: unlimited
  size_t remembered_bytes = 64 << 20;
  size_t remembered_count = 256;
  int codec_threads = 2;  // that decode and encode pictures
};

class EditQueue {
 public:
  // Both must outlive the queue.
  EditQueue(ModelHost& models, EditMetrics& metrics, const QueueLimits& limits,
            const Clock* clock = Clock::Real());
  ~EditQueue();  // gives up what is left and waits for it

  // What a caller holds of an admitted edit.
  using Ticket = std::shared_ptr<EditRun>;

  // Admits an edit, or joins or replays a named one; then `listener` hears of it, perhaps before Start
  // returns, and must live until OnFinished. On an error it is never called. `deadline` is the caller's, on
  // the real clock. Errors: NOT_FOUND (model), UNAVAILABLE (shutting down, or the model is loading),
  // ALREADY_EXISTS (request_id with another content), RESOURCE_EXHAUSTED with a time to retry after (queue or
  // quota), DEADLINE_EXCEEDED (has passed, or is nearer than half of the estimate).
  absl::StatusOr<Ticket> Start(EditTask task, absl::Time deadline, EditListener* listener);
  // The listener doesn't want to wait any longer; it hears OnFinished(status) before this returns, unless it
  // already has. An edit that nobody waits for is given up.
  void Leave(const Ticket& ticket, EditListener* listener, const absl::Status& status);

  // From now on Start says UNAVAILABLE; admitted edits go on.
  void StopAdmitting();
  // True when no edit is left; false when the deadline (on the real clock) came first.
  bool WaitIdle(absl::Time deadline) const;

  int waiting() const;
  int in_flight() const;
  const QueueLimits& limits() const { return limits_; }

 private:
  absl::Status CheckRoom(const EditTask& task, absl::Time deadline, absl::Duration estimate) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What a named task meets: a run to join, an answer, or neither. ALREADY_EXISTS: one of another content.
  absl::Status FindNamed(const EditTask& task, Ticket& run, std::shared_ptr<const EditAnswer>& remembered)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Ticket Admit(EditTask task, LoadedModel model, absl::Time deadline, absl::Duration estimate,
               EditListener* listener) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The stages. Each is run by one thread, and leads to the next or to End.
  void Decode(const Ticket& run);
  void Submit(const Ticket& run, Image photo);
  void Encode(const Ticket& run, EditResult result);
  // Of a masked edit: the photo's own pixels around what was edited.
  absl::Status Compose(const Ticket& run, EditResult& result);
  void End(const Ticket& run, absl::StatusOr<std::shared_ptr<const EditAnswer>> answer);

  ModelHost& models_;
  EditMetrics& metrics_;
  const QueueLimits limits_;
  const Clock* const clock_;

  mutable absl::Mutex mutex_;  // taken before a run's lock, never after
  bool admitting_ ABSL_GUARDED_BY(mutex_) = true;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_set<Ticket> runs_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Ticket> named_ ABSL_GUARDED_BY(mutex_);  // by key
  absl::flat_hash_map<std::string, int> edits_of_caller_ ABSL_GUARDED_BY(mutex_);
  AnswerMemory memory_ ABSL_GUARDED_BY(mutex_);

  WorkerPool codecs_;  // last: its threads use all of the above
};

}  // namespace ip2p::edit_server
