// An EditEngine without a model: it inverts the photo's colours, and finds that instructions are about its
// left half. Time passes when the test says Step(), or, once told to run by itself, as fast as its own thread
// can. Thread-safe; callbacks come from whoever steps, as in the real engine with no lock held, one at a
// time.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/image/fit.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {

class FakeEditEngine final : public EditEngine {
 public:
  // How long a test waits for something that other threads do, before it fails.
  static constexpr absl::Duration kPatience = absl::Seconds(60);

  // `going` is called first thing when it is destroyed.
  explicit FakeEditEngine(std::function<void(FakeEditEngine*)> going = nullptr) : going_(std::move(going)) {
    thread_ = std::thread([this] {
      while (AwaitTurn()) Step();
    });
  }

  ~FakeEditEngine() override {
    if (going_) going_(this);
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
    absl::MutexLock step(&step_mutex_);
    for (auto* edits : {&running_, &waiting_}) {
      std::deque<Edit> left;
      {
        absl::MutexLock lock(&mutex_);
        left.swap(*edits);
      }
      for (Edit& edit : left) edit.callbacks.done(absl::CancelledError("the engine is shutting down"));
    }
  }

  // --- what tests do ---

  void RunByItself(bool on) {
    absl::MutexLock lock(&mutex_);
    by_itself_ = on;
  }

  // Drops who was cancelled or is late, admits up to max_batch, advances each by one step, finishes the
  // finished.
  void Step() {
    absl::MutexLock step(&step_mutex_);
    for (Edit& edit : TakeGivenUp()) {
      edit.callbacks.done(edit.deadline <= absl::Now() ? absl::DeadlineExceededError("too late")
                                                       : absl::CancelledError("the edit was cancelled"));
    }
    for (Edit* edit : Admit()) {
      if (!edit->started) {
        edit->started = true;
        if (edit->callbacks.started) edit->callbacks.started();
      }
      ++edit->step;
      EditProgress progress{0, edit->step, edit->params.steps, std::nullopt};
      if (edit->params.preview_every > 0 && edit->step % edit->params.preview_every == 0) {
        progress.preview = Image{1, 1, {255, 0, 0}};
      }
      if (edit->callbacks.progress) edit->callbacks.progress(progress);
    }
    for (Edit& edit : TakeFinished()) {
      if (failure_.ok()) {
        edit.callbacks.done(ResultOf(edit));
      } else {
        edit.callbacks.done(failure_);
      }
    }
  }

  void StepUntilIdle() {
    while (waiting() + running() > 0) Step();
  }

  // Every edit that finishes from now on fails like this.
  void FailWith(absl::Status failure) {
    absl::MutexLock step(&step_mutex_);
    failure_ = std::move(failure);
  }
  void SetEstimate(absl::Duration estimate) {
    absl::MutexLock lock(&mutex_);
    estimate_ = estimate;
  }
  // False when it takes longer than kPatience.
  bool AwaitWaiting(int count) const {
    absl::MutexLock lock(&mutex_);
    auto met = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return static_cast<int>(waiting_.size()) == count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&met), kPatience);
  }
  bool AwaitCancelRequests(int count) const {
    absl::MutexLock lock(&mutex_);
    auto met = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return cancel_requests_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&met), kPatience);
  }
  int submitted() const {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(next_id_ - 1);
  }

  // --- what the server sees ---

  absl::StatusOr<EditId> Submit(Image input, EditParams params, absl::Time deadline,
                                EditCallbacks callbacks) override {
    if (absl::Status valid = ValidateEdit(params, input); !valid.ok()) return valid;
    if (params.resolution != 0) {
      absl::StatusOr<Image> fitted = FitReference(input, params.resolution);
      if (!fitted.ok()) return fitted.status();
      input = *std::move(fitted);
    }
    absl::MutexLock lock(&mutex_);
    waiting_.push_back({next_id_, std::move(input), std::move(params), deadline, std::move(callbacks)});
    return next_id_++;
  }

  void Cancel(EditId id) override {
    absl::MutexLock lock(&mutex_);
    if (cancelled_.insert(id).second) ++cancel_requests_;
  }

  int waiting() const override {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(waiting_.size());
  }
  int running() const override {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(running_.size());
  }
  absl::Duration Estimate(const EditParams&) const override {
    absl::MutexLock lock(&mutex_);
    return estimate_;
  }
  const ModelConfig& config() const override { return config_; }
  std::string precision_name() const override { return "fp32"; }

 private:
  static constexpr size_t kMaxBatch = 4;

  struct Edit {
    EditId id = 0;
    Image photo;
    EditParams params;
    absl::Time deadline;
    EditCallbacks callbacks;
    bool started = false;
    int step = 0;
  };

  bool AwaitTurn() {
    absl::MutexLock lock(&mutex_);
    auto turn = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stopping_ || (by_itself_ && !(waiting_.empty() && running_.empty()));
    };
    mutex_.Await(absl::Condition(&turn));
    return !stopping_;
  }

  template <typename Predicate>
  std::vector<Edit> Take(std::deque<Edit>& edits, Predicate wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Edit> taken;
    for (auto edit = edits.begin(); edit != edits.end();) {
      if (wanted(*edit)) {
        taken.push_back(std::move(*edit));
        edit = edits.erase(edit);
      } else {
        ++edit;
      }
    }
    return taken;
  }

  std::vector<Edit> TakeGivenUp() {
    absl::MutexLock lock(&mutex_);
    const auto given_up = [&](const Edit& edit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return cancelled_.contains(edit.id) || edit.deadline <= absl::Now();
    };
    std::vector<Edit> taken = Take(waiting_, given_up);
    for (Edit& edit : Take(running_, given_up)) taken.push_back(std::move(edit));
    return taken;
  }

  std::vector<Edit*> Admit() {
    absl::MutexLock lock(&mutex_);
    while (!waiting_.empty() && running_.size() < kMaxBatch) {
      running_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    std::vector<Edit*> batch;  // only Step, which is one at a time, takes away from running_
    for (Edit& edit : running_) batch.push_back(&edit);
    return batch;
  }

  std::vector<Edit> TakeFinished() {
    absl::MutexLock lock(&mutex_);
    return Take(running_, [](const Edit& edit) { return edit.step >= edit.params.steps; });
  }

  static EditResult ResultOf(const Edit& edit) {
    EditResult result;
    result.params = edit.params;
    result.instruction_truncated = edit.params.instruction.size() > 1000;
    for (int i = 0; i < edit.params.count; ++i) {
      EditOutput output{.image = edit.photo, .seed = edit.params.seed + static_cast<uint32_t>(i)};
      if (edit.params.auto_mask) output.mask = {2, 1, {255, 0}};
      for (uint8_t& value : output.image.pixels) value = static_cast<uint8_t>(255 - value);
      result.outputs.push_back(std::move(output));
    }
    return result;
  }

  const ModelConfig config_;
  const std::function<void(FakeEditEngine*)> going_;

  absl::Mutex step_mutex_;  // held while callbacks run
  absl::Status failure_ ABSL_GUARDED_BY(step_mutex_);

  mutable absl::Mutex mutex_;
  std::deque<Edit> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<Edit> running_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<EditId> cancelled_ ABSL_GUARDED_BY(mutex_);
  int cancel_requests_ ABSL_GUARDED_BY(mutex_) = 0;  // edits, not calls
  EditId next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::Duration estimate_ ABSL_GUARDED_BY(mutex_);
  bool by_itself_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace ip2p
