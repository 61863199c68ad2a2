// The wish that work stop, seen by everything that waits for it. One thread, that of the tasks it stops:
// another thread posts Cancel to their loop.
#pragma once

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace ip2p {

class CancelToken {
 public:
  CancelToken() = default;
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  bool cancelled() const { return cancelled_; }

  // Runs every callback once, on this stack. Further calls do nothing.
  void Cancel() {
    cancelled_ = true;
    while (!callbacks_.empty()) {
      Callback* const callback = callbacks_.back();
      callback->Unlink();
      absl::AnyInvocable<void()&&> run = std::move(callback->run_);  // whose owner may go while it runs
      std::move(run)();
    }
  }

  // Runs `run` when the cancellation comes while this object lives; at once when it came before. Null
  // token: never. The token must outlive the callback.
  class Callback {
   public:
    Callback(CancelToken* cancel, absl::AnyInvocable<void() &&> run) : run_(std::move(run)) {
      if (cancel == nullptr) return;
      if (cancel->cancelled_) {
        std::move(run_)();
        return;
      }
      token_ = cancel;
      place_ = cancel->callbacks_.size();
      cancel->callbacks_.push_back(this);
    }
    ~Callback() { Unlink(); }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;

   private:
    friend class CancelToken;

    void Unlink() {
      if (token_ == nullptr) return;
      std::vector<Callback*>& all = std::exchange(token_, nullptr)->callbacks_;
      all[place_] = all.back();  // the last takes the free place
      all[place_]->place_ = place_;
      all.pop_back();
    }

    absl::AnyInvocable<void() &&> run_;
    CancelToken* token_ = nullptr;
    size_t place_ = 0;
  };

 private:
  bool cancelled_ = false;
  std::vector<Callback*> callbacks_;
};

}  // namespace ip2p
