// Calls something again and again on a thread of its own, for as long as it lives.
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ip2p {

class Repeater {
 public:
  // The first call comes after `every`.
  Repeater(absl::Duration every, absl::AnyInvocable<void()> call);
  ~Repeater();  // waits for a call that is under way
  Repeater(const Repeater&) = delete;
  Repeater& operator=(const Repeater&) = delete;

 private:
  void Run();

  const absl::Duration every_;
  absl::AnyInvocable<void()> call_;  // the thread's

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace ip2p
