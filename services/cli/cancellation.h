// Ctrl-C as an event that the work at hand can answer.
#pragma once

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace ip2p {

// Thread-safe. One piece of work at a time says how it is given up; while none does, Cancel ends the process,
// since there is nothing to tidy up.
class Cancellation {
 public:
  // `end_process` replaces the exit in tests.
  explicit Cancellation(std::function<void()> end_process = {});

  // `give_up` must be quick and is called at most once, from any thread, perhaps before this returns.
  class Scope {
   public:
    Scope(Cancellation& cancellation, std::function<void()> give_up);
    ~Scope();  // afterwards `give_up` is not running and never runs
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation& cancellation_;
  };

  void Cancel();
  bool cancelled() const;

 private:
  const std::function<void()> end_process_;

  mutable absl::Mutex mutex_;
  std::function<void()> give_up_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ip2p
