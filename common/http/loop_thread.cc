#include "common/http/loop_thread.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace ip2p {

LoopThread::LoopThread() : thread_([this] { loop_.Run(UntilStopped()); }) {}

LoopThread::~LoopThread() {
  Post([this] { stopped_.Set(); });
  thread_.join();
}

void LoopThread::Call(absl::AnyInvocable<void() &&> work) {
  absl::Notification done;
  Post([&done, work = std::move(work)]() mutable {
    std::move(work)();
    done.Notify();
  });
  done.WaitForNotification();
}

Task<void> LoopThread::UntilStopped() { co_await stopped_; }

}  // namespace ip2p
