// Whether somebody still waits for an answer, and what to stop when nobody does. Thread-safe.
#pragma once

#include <functional>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace ip2p::gateway {

class Departure {
 public:
  // The client is gone, or somebody called the work off. Runs what was registered, once.
  void Announce();
  bool announced() const;

  // While it lives, Announce calls `stop` (at once, when it was announced before). `stop` must not wait and
  // must not touch the departure. After the destructor it is not running and never runs again.
  class Scope {
   public:
    Scope(Departure& departure, std::function<void()> stop);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Departure& departure_;
    std::list<std::function<void()>>::iterator place_;
  };

 private:
  mutable absl::Mutex mutex_;
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::function<void()>> stops_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
