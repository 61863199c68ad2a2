// One thread's loop: HTTP transfers, timers and work posted from other threads, around curl_multi_poll.
//
// Everything but Post belongs to the thread that calls Run. Time comes from the clock that is given; with a
// fake one and `on_idle`, tests run through hours of waiting without any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/cancel_token.h"
#include "common/base/clock.h"
#include "common/base/task.h"

namespace ip2p {

class EventLoop {
 public:
  struct Options {
    const Clock* clock = Clock::Real();
    // Called in place of waiting when only timers are left: a test's clock jumps to `next` here.
    absl::AnyInvocable<void(absl::Time next)> on_idle;
  };

  EventLoop() : EventLoop(Options{}) {}
  explicit EventLoop(Options options);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until `task` is over; other tasks run with it. What is spawned must be over before, see Spawn. May
  // be called again afterwards, not from within.
  void Run(Task<void> task);

  // Runs `work` on the loop's thread, in the order posted. Any thread; while no Run is active it waits for
  // one.
  void Post(absl::AnyInvocable<void() &&> work);

  absl::Time Now() const { return clock_->Now(); }
  const Clock& clock() const { return *clock_; }

  // OK when the time has passed; CANCELLED as soon as `cancel` (may be null) comes.
  Task<absl::Status> Sleep(absl::Duration duration, CancelToken* cancel = nullptr);
  Task<absl::Status> SleepUntil(absl::Time when, CancelToken* cancel = nullptr);

  // The handle of libcurl's multi interface, for CurlHttpClient.
  void* multi() const { return multi_; }
  // Called after transfers made progress; resumes whoever waits for them. For CurlHttpClient.
  void SetTransferHandler(absl::AnyInvocable<void()> handler) { on_transfers_ = std::move(handler); }
  // Transfers under way keep the loop from being idle.
  void AddTransfers(int change) { transfers_ += change; }

 private:
  using TimerKey = std::pair<absl::Time, uint64_t>;

  void RunPosted();
  void RunTimers();
  void Wait();

  const Clock* const clock_;
  absl::AnyInvocable<void(absl::Time)> on_idle_;
  void* const multi_;  // CURLM*
  absl::AnyInvocable<void()> on_transfers_;
  int transfers_ = 0;
  uint64_t next_timer_ = 0;
  std::map<TimerKey, Event*> timers_;

  absl::Mutex mutex_;
  std::vector<absl::AnyInvocable<void() &&>> posted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p
