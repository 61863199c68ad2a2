// Tells ThreadSanitizer about absl's locks. Empty in every other build.
//
// Debian's absl is a shared library built without TSan, whose futexes TSan can't see: every field behind an
// absl::Mutex would look like a race. So in a TSan build the program defines the locks' functions itself; the
// dynamic linker prefers them, gRPC's calls included. Each calls the library's function and says who passes
// what on to whom.
#include "common/base/tsan.h"

#ifdef IP2P_TSAN

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
// An unlocking thread evaluates the conditions of those who wait, after it has let go of the lock in TSan's
// eyes.
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

struct QuietReads {
  QuietReads() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~QuietReads() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

// `call` is the library's function; static, so that it is looked up once.
#define IP2P_LIBRARY(type, name) \
  static const auto call = reinterpret_cast<type>(ip2p::LibraryFunction(RTLD_NEXT, name))

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  IP2P_LIBRARY(void (*)(Mutex*), "_ZN4absl7debian35Mutex4LockEv");
  {
    QuietReads quiet;
    call(this);
  }
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  IP2P_LIBRARY(void (*)(Mutex*), "_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_release(this);
  QuietReads quiet;
  call(this);
}

bool Mutex::TryLock() {
  IP2P_LIBRARY(bool (*)(Mutex*), "_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = call(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  IP2P_LIBRARY(void (*)(Mutex*), "_ZN4absl7debian35Mutex10ReaderLockEv");
  call(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  IP2P_LIBRARY(void (*)(Mutex*), "_ZN4absl7debian35Mutex12ReaderUnlockEv");
  __tsan_release(this);
  QuietReads quiet;
  call(this);
}

void Mutex::Await(const Condition& condition) {
  IP2P_LIBRARY(void (*)(Mutex*, const Condition&), "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  {
    QuietReads quiet;
    call(this, condition);
  }
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  IP2P_LIBRARY(bool (*)(Mutex*, const Condition&, Duration),
               "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(this);
  bool met = false;
  {
    QuietReads quiet;
    met = call(this, condition, timeout);
  }
  __tsan_acquire(this);
  return met;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  IP2P_LIBRARY(bool (*)(Mutex*, const Condition&, Time),
               "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  __tsan_release(this);
  bool met = false;
  {
    QuietReads quiet;
    met = call(this, condition, deadline);
  }
  __tsan_acquire(this);
  return met;
}

void Notification::Notify() {
  IP2P_LIBRARY(void (*)(Notification*), "_ZN4absl7debian312Notification6NotifyEv");
  __tsan_release(this);
  call(this);
}

void Notification::WaitForNotification() const {
  IP2P_LIBRARY(void (*)(const Notification*), "_ZNK4absl7debian312Notification19WaitForNotificationEv");
  call(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

ABSL_NAMESPACE_END
}  // namespace absl

#endif  // IP2P_TSAN
