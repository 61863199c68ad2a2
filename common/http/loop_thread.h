// An event loop on a thread of its own: what its tasks share needs no locks, and gRPC's threads reach it by
// Post.
#pragma once

#include <thread>

#include "common/base/task.h"
#include "common/http/event_loop.h"

namespace ip2p {

class LoopThread {
 public:
  LoopThread();
  ~LoopThread();  // tasks must be over
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  EventLoop& loop() { return loop_; }

  // Any thread, for as long as this object lives.
  void Post(absl::AnyInvocable<void() &&> work) { loop_.Post(std::move(work)); }
  // Runs `work` on the loop's thread and returns when it is done. Not from that thread.
  void Call(absl::AnyInvocable<void() &&> work);

 private:
  Task<void> UntilStopped();

  EventLoop loop_;
  Event stopped_;
  std::thread thread_;
};

}  // namespace ip2p
