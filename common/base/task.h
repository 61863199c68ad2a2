// Coroutines of one thread: Task<T> is a function that can wait, Spawn starts one that nobody waits for.
//
//   Task<absl::StatusOr<int>> Answer(Source& source) {
//     absl::StatusOr<int> value = co_await source.Read();   // other tasks run meanwhile
//     co_return value;
//   }
//
// A task does nothing until it is awaited or spawned, then runs on the caller's stack to its first
// suspension. All tasks that wait for each other belong to one thread, so they need no locks; none of this is
// thread-safe. References given to a task must live until it is over. Destroying a suspended task destroys
// its locals. Exceptions end the process. A task that never suspends costs one allocation and no stack,
// however often awaited in a loop, at every optimisation level.
//
// g++ 12 destroys some temporaries of an awaited expression twice: give arguments names and move them in; no
// braces inside of an expression with co_await, no lambdas with captures as coroutines.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace ip2p {

namespace internal {

struct TaskPromiseBase {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      const std::coroutine_handle<> next = self.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  std::coroutine_handle<> continuation;
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
  std::coroutine_handle<TaskPromise> get_return_object() noexcept {
    return std::coroutine_handle<TaskPromise>::from_promise(*this);
  }
  template <typename U>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T Take() { return *std::move(result); }

  std::optional<T> result;
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  std::coroutine_handle<TaskPromise> get_return_object() noexcept {
    return std::coroutine_handle<TaskPromise>::from_promise(*this);
  }
  void return_void() const noexcept {}
  void Take() const noexcept {}
};

}  // namespace internal

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type =
      internal::TaskPromise<T>;  // NOLINT(readability-identifier-naming): the language's name

  // From what get_return_object gives. NOLINTNEXTLINE(google-explicit-constructor)
  Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Awaited once, as an rvalue: `co_await Foo()` or `co_await std::move(task)`.
  auto operator co_await() && noexcept { return Awaiter(handle_); }

 private:
  struct Awaiter {
    explicit Awaiter(std::coroutine_handle<promise_type> h) : handle(h) {}
    bool await_ready() const noexcept { return false; }
    // Runs the task on this stack; false (don't suspend) when it came to its end. That, and not a tail call,
    // keeps the stack flat where tail calls are not optimised.
    bool await_suspend(std::coroutine_handle<> awaiting) const {
      handle.resume();
      if (handle.done()) return false;
      handle.promise().continuation = awaiting;
      return true;
    }
    T await_resume() const { return handle.promise().Take(); }

    std::coroutine_handle<promise_type> handle;
  };

  std::coroutine_handle<promise_type> handle_;
};

namespace internal {

struct Detached {
  struct promise_type {  // NOLINT(readability-identifier-naming): the language's name
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

inline Detached Detach(Task<void> task) { co_await std::move(task); }

}  // namespace internal

// Starts a task that frees itself at its end. Whoever spawns sees to it that it ends (WaitGroup below): one
// that is suspended for ever is leaked.
inline void Spawn(Task<void> task) { internal::Detach(std::move(task)); }

// Happens once; tasks wait for it. Set resumes them on the setter's stack, in the order they came.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const { return set_; }
  void Set() {
    set_ = true;
    const std::vector<std::coroutine_handle<>> waiters = std::exchange(waiters_, {});
    for (const std::coroutine_handle<> waiter : waiters) waiter.resume();  // may destroy this event
  }

  auto operator co_await() noexcept { return Awaiter(this); }

 private:
  struct Awaiter {
    explicit Awaiter(Event* e) : event(e) {}
    bool await_ready() const noexcept { return event->set_; }
    void await_suspend(std::coroutine_handle<> waiter) const { event->waiters_.push_back(waiter); }
    void await_resume() const noexcept {}

    Event* event;
  };

  bool set_ = false;
  std::vector<std::coroutine_handle<>> waiters_;
};

// Counts tasks that are not over: Add before Spawn, Done as the task's last act, `co_await group.Wait()`.
class WaitGroup {
 public:
  WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  void Add() { ++count_; }
  void Done() { Changed(--count_); }
  int count() const { return count_; }

  // Returns when at most `open` tasks are left. One waiter at a time.
  auto WaitUntil(int open) noexcept { return Awaiter(this, open); }
  auto Wait() noexcept { return WaitUntil(0); }

 private:
  struct Awaiter {
    Awaiter(WaitGroup* g, int o) : group(g), open(o) {}
    bool await_ready() const noexcept { return group->count_ <= open; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept {
      group->waiter_ = waiter;
      group->wanted_ = open;
    }
    void await_resume() const noexcept {}

    WaitGroup* group;
    int open;
  };

  void Changed(int count) {
    if (waiter_ && count <= wanted_) std::exchange(waiter_, {}).resume();  // may destroy this group
  }

  int count_ = 0;
  int wanted_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace ip2p
