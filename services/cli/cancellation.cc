// The callback runs under the lock, so that a scope that has ended is never called.
#include "services/cli/cancellation.h"

#include <unistd.h>

#include <utility>

#include "services/cli/exit_codes.h"

namespace ip2p {

Cancellation::Cancellation(std::function<void()> end_process)
    : end_process_(end_process ? std::move(end_process) : [] { ::_exit(kExitCancelled); }) {}

Cancellation::Scope::Scope(Cancellation& cancellation, std::function<void()> give_up)
    : cancellation_(cancellation) {
  absl::MutexLock lock(&cancellation_.mutex_);
  cancellation_.give_up_ = std::move(give_up);
  if (cancellation_.cancelled_) cancellation_.give_up_();
}

Cancellation::Scope::~Scope() {
  absl::MutexLock lock(&cancellation_.mutex_);
  cancellation_.give_up_ = nullptr;
}

void Cancellation::Cancel() {
  absl::MutexLock lock(&mutex_);
  const bool again = std::exchange(cancelled_, true);
  if (again || !give_up_) {
    end_process_();  // the second Ctrl-C means now
  } else {
    give_up_();
  }
}

bool Cancellation::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

}  // namespace ip2p
