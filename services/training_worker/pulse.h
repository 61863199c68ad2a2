// The heartbeats of a rank: its figures out, orders in, log lines out, on a thread of its own. Thread-safe.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/training_worker/coordinator_client.h"

namespace ip2p::training_worker {

class Pulse {
 public:
  // `stuck` is called when the run has not ended `patience` after an order to leave at once: a step that
  // waits for a lost peer cannot be asked. `client` outlives the pulse.
  Pulse(CoordinatorClient& client, absl::Duration interval, absl::Duration patience,
        absl::AnyInvocable<void()> stuck);
  ~Pulse();  // sends the last log lines, then joins
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  void SetMetrics(const training::v1::TrainMetrics& metrics);
  void AddLog(std::string_view line);
  // Sends the newest figures and every line now, before what is said next.
  void Tell() ABSL_LOCKS_EXCLUDED(telling_);
  // The last order. Once it is to stop or to abandon, it stays.
  RunOrder order() const;

 private:
  void Run();
  void Beat();
  void SendLogs();

  CoordinatorClient& client_;
  const absl::Duration interval_;
  const absl::Duration patience_;
  absl::AnyInvocable<void()> stuck_;

  absl::Mutex telling_;  // one at a time, or lines would be sent twice
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  RunOrder order_ ABSL_GUARDED_BY(mutex_);
  absl::Time leave_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::optional<training::v1::TrainMetrics> metrics_ ABSL_GUARDED_BY(mutex_);
  std::deque<LogLine> logs_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace ip2p::training_worker
