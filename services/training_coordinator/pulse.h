// Wakes whoever waits for a change, a few times a second, and the coordinator with them. Waiting calls hold
// no thread and register nowhere else: they look again. Thread-safe.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ip2p::training_coordinator {

class Pulsed {
 public:
  virtual ~Pulsed() = default;
  virtual void OnPulse() = 0;  // on the pulse's thread; must not block
};

class Pulse {
 public:
  explicit Pulse(absl::Duration every) : every_(every) {}
  ~Pulse();  // ends its thread

  // `beat` runs at each pulse, before the waiting calls look; it may block. Once.
  void Start(absl::AnyInvocable<void()> beat);

  // As long as it lives.
  void Add(std::weak_ptr<Pulsed> waiting);
  // From now on `beat` runs no more, and whoever waits is to give up; a pulse tells them at once.
  void Stop();
  bool stopping() const;

 private:
  void Run();
  std::vector<std::shared_ptr<Pulsed>> Waiting();

  const absl::Duration every_;
  absl::AnyInvocable<void()> beat_;  // the thread's

  mutable absl::Mutex mutex_;
  std::vector<std::weak_ptr<Pulsed>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace ip2p::training_coordinator
