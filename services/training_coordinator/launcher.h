// Starts, finds and ends the workers of a launch. The interface: `local` makes processes of this machine,
// `kubernetes` an Indexed Job.
//
// A launch is named by its job and epoch. Methods return at once (files and processes of this machine aside)
// and are called by one thread at a time.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"

namespace ip2p::training_coordinator {

struct LaunchKey {
  std::string job_id;
  int64_t epoch = 0;
  friend bool operator==(const LaunchKey&, const LaunchKey&) = default;
  friend bool operator<(const LaunchKey& a, const LaunchKey& b) {
    return std::tie(a.job_id, a.epoch) < std::tie(b.job_id, b.epoch);
  }
};

struct LaunchOrder {
  LaunchKey key;
  int world_size = 1;
  int threads = 1;
  bool gpu = false;
  std::vector<int> slots;  // one a rank
};

struct LaunchState {
  bool gone = false;         // none of its workers lives, and none will come
  std::map<int, int> exits;  // of ranks whose worker ended: exit code, 128 + signal, or -1 when nobody knows
  // Why it could not be launched. UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED: another try may help.
  absl::Status error;
};

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Where workers call, HOST:PORT. Once, before the first Launch.
  virtual void SetAddress(const std::string& address) = 0;
  // Starts the workers, once for a key: another coordinator's, or those of an earlier call, are kept.
  virtual void Launch(const LaunchOrder& order) = 0;
  // Looks for workers that a former coordinator meant to start and never starts any.
  virtual void Adopt(const LaunchOrder& order) = 0;
  virtual LaunchState Look(const LaunchKey& key) = 0;
  // Asks them to end, or with `kill` ends them. May be called again and again.
  virtual void Stop(const LaunchKey& key, bool kill) = 0;
  // It is gone and that has been noted: nothing of it needs to be remembered.
  virtual void Forget(const LaunchKey& key) = 0;
};

}  // namespace ip2p::training_coordinator
