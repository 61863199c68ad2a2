#include "services/gateway/connection_watch.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace ip2p::gateway {
namespace {

constexpr size_t kLeastPortion = 16;  // cut off in a sweep

}  // namespace

bool IsTooSlow(const ConnectionState& state, int open, absl::Time now, const WatchLimits& limits) {
  const absl::Duration spent = now - state.since;
  switch (state.phase) {
    case Phase::kHeaders: {
      const bool crowded = open > limits.max_connections / 4 * 3;
      return spent > (crowded ? limits.crowded_header_time : limits.header_time);
    }
    case Phase::kBody: {
      const double wanted =
          absl::ToDoubleSeconds(spent - limits.grace) * static_cast<double>(limits.least_rate);
      return static_cast<double>(state.bytes) < wanted;
    }
    case Phase::kWorking:
      return false;
    case Phase::kAnswering:
      return spent > limits.grace + absl::Seconds(1) * state.bytes / static_cast<double>(limits.least_rate);
  }
  return false;
}

void ConnectionWatch::Opened(const void* key, int socket, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  entries_[key] = {.socket = socket, .state = {.since = now}};
}

void ConnectionWatch::Closed(const void* key) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(key);
}

void ConnectionWatch::Enter(const void* key, Phase phase, int64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) found->second.state = {.phase = phase, .since = now, .bytes = bytes};
}

void ConnectionWatch::CountBody(const void* key, int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) found->second.state.bytes += bytes;
}

void ConnectionWatch::SetDeparture(const void* key, std::shared_ptr<Departure> departure) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) found->second.departure = std::move(departure);
}

void ConnectionWatch::Sweep(absl::Time now) {
  std::vector<std::shared_ptr<Departure>> gone;  // announced without the lock: they may end calls
  {
    // The lock also keeps the sockets from being closed, and their numbers from being used again.
    absl::MutexLock lock(&mutex_);
    std::vector<pollfd> sockets;
    std::vector<Entry*> slow, working;
    for (auto& [key, entry] : entries_) {
      if (entry.cut) continue;
      if (IsTooSlow(entry.state, static_cast<int>(entries_.size()), now, limits_)) {
        slow.push_back(&entry);
      } else if (entry.state.phase == Phase::kWorking && !entry.hung_up) {
        sockets.push_back({.fd = entry.socket, .events = POLLRDHUP, .revents = 0});
        working.push_back(&entry);
      }
    }
    // The event thread closes what is cut off here, and good clients wait meanwhile: a portion at a time, the
    // slowest first.
    const size_t portion = std::max(kLeastPortion, entries_.size() / 16);
    if (slow.size() > portion) {
      const auto longer = [](const Entry* a, const Entry* b) { return a->state.since < b->state.since; };
      std::nth_element(slow.begin(), slow.begin() + static_cast<std::ptrdiff_t>(portion), slow.end(), longer);
      slow.resize(portion);
    }
    for (Entry* entry : slow) {
      entry->cut = true;
      ::shutdown(entry->socket, SHUT_RDWR);  // the library sees the end and closes it
      if (entry->departure != nullptr) gone.push_back(entry->departure);
    }
    if (::poll(sockets.data(), sockets.size(), 0) > 0) {
      for (size_t i = 0; i < sockets.size(); ++i) {
        if (sockets[i].revents == 0) continue;
        working[i]->hung_up = true;
        if (working[i]->departure != nullptr) gone.push_back(working[i]->departure);
      }
    }
  }
  for (const std::shared_ptr<Departure>& departure : gone) departure->Announce();
}

int ConnectionWatch::open() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(entries_.size());
}

}  // namespace ip2p::gateway
