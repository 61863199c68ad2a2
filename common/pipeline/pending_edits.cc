// The engine is never called with the lock held: it may call back at once.
#include "common/pipeline/pending_edits.h"

#include <utility>

namespace ip2p {

PendingEdits::~PendingEdits() {
  Cancel();
  absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_ == 0; };
  mutex_.Await(absl::Condition(&idle));
}

absl::Status PendingEdits::Add(Image input, EditParams params, absl::Time deadline) {
  size_t edit = 0;
  {
    absl::MutexLock lock(&mutex_);
    edit = results_.size();
    results_.emplace_back();
    ++open_;
  }
  EditCallbacks callbacks;
  callbacks.progress = [this, edit](const EditProgress& progress) {
    absl::MutexLock lock(&mutex_);
    steps_.push_back({edit, progress});
  };
  callbacks.done = [this, edit](absl::StatusOr<EditResult> result) {
    absl::MutexLock lock(&mutex_);
    results_[edit] = std::move(result);
    --open_;
  };
  const absl::StatusOr<EditEngine::EditId> id =
      engine_.Submit(std::move(input), std::move(params), deadline, std::move(callbacks));
  bool cancelled = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!id.ok()) {
      results_.pop_back();
      --open_;
      return id.status();
    }
    ids_.push_back(*id);
    cancelled = cancelled_;
  }
  if (cancelled) engine_.Cancel(*id);  // Cancel did not know of it yet
  return absl::OkStatus();
}

std::optional<PendingEdits::Step> PendingEdits::NextStep() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &PendingEdits::HasNews));
  std::optional<Step> step;
  if (steps_.empty()) return step;
  step = std::move(steps_.front());
  steps_.pop_front();
  return step;
}

absl::StatusOr<EditResult> PendingEdits::Take(size_t edit) {
  absl::MutexLock lock(&mutex_);
  return *std::exchange(results_.at(edit), std::nullopt);
}

void PendingEdits::Cancel() {
  std::vector<EditEngine::EditId> ids;
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    ids = ids_;
  }
  for (const EditEngine::EditId id : ids) engine_.Cancel(id);
}

}  // namespace ip2p
