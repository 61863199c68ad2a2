// The engine is never called with the run's lock held: its own callbacks take that lock.
#include "services/edit_server/edit_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ip2p::edit_server {

std::string RunKey(const EditTask& task) {
  // A request id has no newline, so the parts can't run into each other.
  return task.named ? absl::StrCat(task.request_id, "\n", task.caller) : std::string();
}

EditRun::EditRun(EditTask asked, LoadedModel loaded, absl::Time until, EditAdmission admission,
                 absl::Time now)
    : task(std::move(asked)),
      model(std::move(loaded)),
      deadline(task.named ? absl::InfiniteFuture() : until),
      key(RunKey(task)),
      admitted(now),
      admission_(std::move(admission)) {}

bool EditRun::Join(EditListener* listener) {
  absl::MutexLock lock(&mutex_);
  if (over_ || given_up_) return false;
  listeners_.push_back(listener);
  listener->OnAccepted(admission_);
  return true;
}

bool EditRun::Leave(EditListener* listener, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const auto found = std::find(listeners_.begin(), listeners_.end(), listener);
  if (found == listeners_.end()) return false;
  listeners_.erase(found);
  listener->OnFinished(status, false);
  if (!listeners_.empty()) return false;
  given_up_ = true;
  return true;
}

void EditRun::GiveUp() {
  std::optional<EditEngine::EditId> id;
  {
    absl::MutexLock lock(&mutex_);
    given_up_ = true;
    id = engine_id_;
  }
  if (id) model.engine->Cancel(*id);
}

bool EditRun::given_up() const {
  absl::MutexLock lock(&mutex_);
  return given_up_;
}

void EditRun::OnSubmitted(EditEngine::EditId id) {
  bool cancel = false;
  {
    absl::MutexLock lock(&mutex_);
    engine_id_ = id;
    cancel = given_up_;
  }
  if (cancel) model.engine->Cancel(id);
}

void EditRun::OnProgress(const EditProgress& progress) {
  absl::MutexLock lock(&mutex_);
  for (EditListener* listener : listeners_) listener->OnProgress(progress);
}

void EditRun::Finish(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer) {
  absl::MutexLock lock(&mutex_);
  over_ = true;
  for (EditListener* listener : listeners_) listener->OnFinished(answer, false);
  listeners_.clear();
}

}  // namespace ip2p::edit_server
