// Order of a turn: posted work, timers that are due, transfers, then waiting.
#include "common/http/event_loop.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "curl/curl.h"

namespace ip2p {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(60);

void* NewMulti() {
  // libcurl's own global set-up is not for many threads at once.
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  CURLM* multi = ready ? curl_multi_init() : nullptr;
  if (multi == nullptr) std::abort();  // out of memory
  return multi;
}

Task<void> RunAndTell(Task<void> task, bool* done) {
  co_await std::move(task);
  *done = true;
}

}  // namespace

EventLoop::EventLoop(Options options)
    : clock_(options.clock), on_idle_(std::move(options.on_idle)), multi_(NewMulti()) {}

EventLoop::~EventLoop() { curl_multi_cleanup(multi_); }

void EventLoop::Run(Task<void> task) {
  bool done = false;
  Spawn(RunAndTell(std::move(task), &done));
  while (!done) {
    RunPosted();
    RunTimers();
    int running = 0;
    curl_multi_perform(multi_, &running);
    if (on_transfers_) on_transfers_();
    if (!done) Wait();
  }
}

void EventLoop::Post(absl::AnyInvocable<void() &&> work) {
  {
    absl::MutexLock lock(&mutex_);
    posted_.push_back(std::move(work));
  }
  curl_multi_wakeup(multi_);
}

void EventLoop::RunPosted() {
  std::vector<absl::AnyInvocable<void() &&>> work;
  {
    absl::MutexLock lock(&mutex_);
    work.swap(posted_);
  }
  for (absl::AnyInvocable<void() &&>& item : work) std::move(item)();
}

void EventLoop::RunTimers() {
  const absl::Time now = clock_->Now();  // once: a timer set by a timer waits for the next turn
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    Event* const event = timers_.begin()->second;
    timers_.erase(timers_.begin());
    event->Set();
  }
}

void EventLoop::Wait() {
  {
    absl::MutexLock lock(&mutex_);
    if (!posted_.empty()) return;
  }
  absl::Duration wait = kLongestWait;
  if (!timers_.empty()) {
    const absl::Time next = timers_.begin()->first.first;
    if (transfers_ == 0 && on_idle_) {
      on_idle_(next);
      return;
    }
    wait = std::clamp(next - clock_->Now(), absl::ZeroDuration(), kLongestWait);
  }
  // Rounded up: a turn that comes too early would spin.
  const absl::Duration milliseconds = absl::Ceil(wait, absl::Milliseconds(1));
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(milliseconds)), nullptr);
}

Task<absl::Status> EventLoop::Sleep(absl::Duration duration, CancelToken* cancel) {
  return SleepUntil(Now() + duration, cancel);
}

Task<absl::Status> EventLoop::SleepUntil(absl::Time when, CancelToken* cancel) {
  Event over;
  bool cancelled = false;
  const TimerKey key(when, next_timer_++);
  timers_.emplace(key, &over);
  const CancelToken::Callback on_cancel(cancel, [this, key, &over, &cancelled] {
    if (timers_.erase(key) == 0) return;
    cancelled = true;
    over.Set();
  });
  co_await over;
  co_return cancelled ? absl::CancelledError("cancelled") : absl::OkStatus();
}

}  // namespace ip2p
