// At most so many tasks at once. One thread, that of its tasks; places are given in the order they were asked
// for.
#pragma once

#include <list>

#include "absl/status/status.h"
#include "common/base/cancel_token.h"
#include "common/base/task.h"

namespace ip2p {

class Semaphore {
 public:
  explicit Semaphore(int places) : free_(places) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // OK: the caller holds a place until Release. CANCELLED: it holds none.
  Task<absl::Status> Acquire(CancelToken* cancel) {
    if (cancel != nullptr && cancel->cancelled()) co_return absl::CancelledError("cancelled");
    if (free_ > 0) {
      --free_;
      co_return absl::OkStatus();
    }
    Waiter waiter;
    const auto place = waiters_.insert(waiters_.end(), &waiter);
    const CancelToken::Callback on_cancel(cancel, [this, place, &waiter] {
      if (waiter.granted) return;
      waiters_.erase(place);
      waiter.ready.Set();
    });
    co_await waiter.ready;
    co_return waiter.granted ? absl::OkStatus() : absl::CancelledError("cancelled");
  }

  // May resume a waiter on this stack.
  void Release() {
    if (waiters_.empty()) {
      ++free_;
      return;
    }
    Waiter* const next = waiters_.front();
    waiters_.pop_front();
    next->granted = true;
    next->ready.Set();
  }

 private:
  struct Waiter {
    Event ready;
    bool granted = false;
  };

  int free_;
  std::list<Waiter*> waiters_;
};

}  // namespace ip2p
