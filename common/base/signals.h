// SIGTERM and SIGINT as an event: a thread waits for them in sigwait, nothing ever runs in a signal handler.
#pragma once

#include <functional>
#include <thread>

namespace ip2p {

class SignalWaiter {
 public:
  // Blocks SIGTERM and SIGINT in this thread and, by inheritance, in all threads started after it: construct
  // it first thing in main. `on_signal` runs on the waiter's own thread, with 1, 2, ... for each signal that
  // comes.
  explicit SignalWaiter(std::function<void(int count)> on_signal);
  ~SignalWaiter();  // stops waiting, then joins; the signals stay blocked
  SignalWaiter(const SignalWaiter&) = delete;
  SignalWaiter& operator=(const SignalWaiter&) = delete;

 private:
  const std::function<void(int)> on_signal_;
  int stop_fd_ = -1;
  int signal_fd_ = -1;
  std::thread thread_;
};

}  // namespace ip2p
