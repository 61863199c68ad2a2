#include "services/training_coordinator/pulse.h"

#include <utility>

namespace ip2p::training_coordinator {

void Pulse::Start(absl::AnyInvocable<void()> beat) {
  beat_ = std::move(beat);
  thread_ = std::thread([this] { Run(); });
}

Pulse::~Pulse() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Pulse::Add(std::weak_ptr<Pulsed> waiting) {
  absl::MutexLock lock(&mutex_);
  waiting_.push_back(std::move(waiting));
}

void Pulse::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (const std::shared_ptr<Pulsed>& waiting : Waiting()) waiting->OnPulse();
}

bool Pulse::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

std::vector<std::shared_ptr<Pulsed>> Pulse::Waiting() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<Pulsed>> alive;
  size_t kept = 0;
  for (std::weak_ptr<Pulsed>& waiting : waiting_) {
    std::shared_ptr<Pulsed> held = waiting.lock();
    if (held == nullptr) continue;
    alive.push_back(std::move(held));
    std::swap(waiting_[kept++], waiting);
  }
  waiting_.resize(kept);
  return alive;
}

void Pulse::Run() {
  while (true) {
    // Once it is stopping, nobody is heard any more, and the beat would take that for silence.
    if (!stopping()) beat_();
    for (const std::shared_ptr<Pulsed>& waiting : Waiting()) waiting->OnPulse();
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&ending_), every_)) return;
  }
}

}  // namespace ip2p::training_coordinator
