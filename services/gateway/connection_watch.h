// Every open connection and what it is waiting for: slow clients are cut off, gone ones noticed.
//
// The HTTP library's own time-out restarts with every byte, so a client that sends one a second could stay
// for days. Here a phase has a deadline, and a body or an answer a least rate. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/gateway/departure.h"

namespace ip2p::gateway {

struct WatchLimits {
  int max_connections = 1000;
  absl::Duration header_time = absl::Seconds(10);  // until a request's headers are whole; also when idle
  // The same while more than three quarters of the connections are in use: the slowest make room.
  absl::Duration crowded_header_time = absl::Seconds(2);
  absl::Duration grace = absl::Seconds(5);  // before a rate is asked for
  int64_t least_rate = 16 << 10;            // bytes a second, of a body and of an answer
};

enum class Phase {
  kHeaders,    // nothing, or half a request's headers
  kBody,       // its body comes
  kWorking,    // the answer is made; or a stream of events is under way
  kAnswering,  // the answer goes out
};

struct ConnectionState {
  Phase phase = Phase::kHeaders;
  absl::Time since;   // of the phase
  int64_t bytes = 0;  // received of a body; to be sent of an answer
};

// Whether to cut it off. Pure; `open` counts all connections.
bool IsTooSlow(const ConnectionState& state, int open, absl::Time now, const WatchLimits& limits);

class ConnectionWatch {
 public:
  explicit ConnectionWatch(const WatchLimits& limits) : limits_(limits) {}

  // `key` names the connection; `socket` stays open until Closed.
  void Opened(const void* key, int socket, absl::Time now);
  void Closed(const void* key);
  void Enter(const void* key, Phase phase, int64_t bytes, absl::Time now);
  void CountBody(const void* key, int64_t bytes);
  // Whose departure to announce when the peer of a working connection hangs up; null: nobody's.
  void SetDeparture(const void* key, std::shared_ptr<Departure> departure);

  // Cuts slow ones, a sixteenth of all connections or 16 at most, and announces departures. To be called a
  // few times a second.
  void Sweep(absl::Time now);
  int open() const;

 private:
  struct Entry {
    int socket = -1;
    bool hung_up = false;
    bool cut = false;  // the event thread has yet to close it
    ConnectionState state;
    std::shared_ptr<Departure> departure;
  };

  const WatchLimits limits_;
  mutable absl::Mutex mutex_;
  std::map<const void*, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
