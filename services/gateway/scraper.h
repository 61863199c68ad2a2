// Fetches the /metrics of the services, as the overview shows them. Thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ip2p::gateway {

class Scraper {
 public:
  using Figures = std::map<std::string, double>;

  // What `address` (HOST:PORT) tells of names that begin with ip2p_; from memory within a second of the last
  // time, whoever asked. UNAVAILABLE, without the address.
  absl::StatusOr<Figures> Scrape(const std::string& address);

 private:
  struct Remembered {
    absl::Time when = absl::InfinitePast();
    absl::StatusOr<Figures> figures = absl::UnavailableError("not asked yet");
  };

  absl::Mutex mutex_;  // held while fetching, so that many viewers cost no more than one
  std::map<std::string, Remembered> remembered_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
