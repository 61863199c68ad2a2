// Edits and sweeps under way, by the id of their request, so that a second request can call one off.
// Thread-safe.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/gateway/departure.h"

namespace ip2p::gateway {

class RunningWork {
 public:
  // In the list for as long as it lives. ALREADY_EXISTS (status) when the caller has one of that id.
  class Scope {
   public:
    Scope(RunningWork& work, const std::string& caller, const std::string& id, Departure* departure);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    const absl::Status& status() const { return status_; }

   private:
    RunningWork& work_;
    const std::pair<std::string, std::string> key_;
    absl::Status status_;
  };

  // NOT_FOUND: this caller has nothing of that id under way.
  absl::Status Cancel(const std::string& caller, const std::string& id);

 private:
  absl::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Departure*> departures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
