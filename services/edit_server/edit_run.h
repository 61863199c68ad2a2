// One admitted edit and those who wait for it: its first caller, and whoever joined by the same request id.
// Thread-safe. A listener's calls are serialised by the run's own lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/pipeline/edit_engine.h"
#include "services/edit_server/edit_task.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

class EditRun {
 public:
  EditRun(EditTask asked, LoadedModel loaded, absl::Time until, EditAdmission admission, absl::Time now);

  // Adds a listener, which hears OnAccepted at once. False when the run is over or given up: nothing was
  // called.
  bool Join(EditListener* listener);
  // The listener hears OnFinished(status), unless it already has. When nobody is left the edit is given up:
  // true.
  bool Leave(EditListener* listener, const absl::Status& status);
  // Nobody waits any more. The engine drops it before its next step.
  void GiveUp();
  bool given_up() const;

  // The engine's callbacks and the queue's verdict.
  void OnSubmitted(EditEngine::EditId id);
  void OnProgress(const EditProgress& progress);
  void Finish(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer);

  // Used by one thread at a time, in the order of the edit's stages.
  EditTask task;
  const LoadedModel model;
  const absl::Time deadline;  // of the engine's work; infinite where others may join
  const std::string key;      // (caller, request id), empty when not named
  const absl::Time admitted;
  absl::Time started = absl::InfiniteFuture();
  absl::Time finished = absl::InfiniteFuture();

 private:
  const EditAdmission admission_;

  mutable absl::Mutex mutex_;
  std::vector<EditListener*> listeners_ ABSL_GUARDED_BY(mutex_);
  std::optional<EditEngine::EditId> engine_id_ ABSL_GUARDED_BY(mutex_);
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

// Where the answers of a caller's request ids are found.
std::string RunKey(const EditTask& task);

}  // namespace ip2p::edit_server
