// Edits that one thread waits for: what an engine tells on a thread of its own crosses to the waiting one in
// a queue. No torch here.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {

// Of one thread, but for Cancel.
class PendingEdits {
 public:
  // The engine must outlive it.
  explicit PendingEdits(EditEngine& engine) : engine_(engine) {}
  ~PendingEdits();  // gives up what still runs, and waits until the engine has let go of it
  PendingEdits(const PendingEdits&) = delete;
  PendingEdits& operator=(const PendingEdits&) = delete;

  // Queues edit number 0, 1, ... Errors: those of EditEngine::Submit; the number is then not used.
  absl::Status Add(Image input, EditParams params, absl::Time deadline = absl::InfiniteFuture());

  struct Step {
    size_t edit = 0;
    EditProgress progress;
  };
  // Waits for a step of any of them; nothing once all are done and every step was told.
  std::optional<Step> NextStep();
  // What became of an edit after NextStep has ended. Once.
  absl::StatusOr<EditResult> Take(size_t edit);

  // Those that still run end with CANCELLED, those that are added later too. Any thread.
  void Cancel();

 private:
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !steps_.empty() || open_ == 0; }

  EditEngine& engine_;

  absl::Mutex mutex_;
  std::vector<EditEngine::EditId> ids_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::optional<absl::StatusOr<EditResult>>> results_ ABSL_GUARDED_BY(mutex_);
  std::deque<Step> steps_ ABSL_GUARDED_BY(mutex_);
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ip2p
