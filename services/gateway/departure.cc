#include "services/gateway/departure.h"

#include <utility>

namespace ip2p::gateway {

void Departure::Announce() {
  absl::MutexLock lock(&mutex_);
  if (announced_) return;
  announced_ = true;
  for (const std::function<void()>& stop : stops_) stop();
}

bool Departure::announced() const {
  absl::MutexLock lock(&mutex_);
  return announced_;
}

Departure::Scope::Scope(Departure& departure, std::function<void()> stop) : departure_(departure) {
  absl::MutexLock lock(&departure_.mutex_);
  if (departure_.announced_) stop();
  departure_.stops_.push_back(std::move(stop));
  place_ = std::prev(departure_.stops_.end());
}

Departure::Scope::~Scope() {
  absl::MutexLock lock(&departure_.mutex_);
  departure_.stops_.erase(place_);
}

}  // namespace ip2p::gateway
