// Where jobs outlive the coordinator. One coordinator owns a store at a time: it loads all of it at its start
// and writes each change before it acts on it or acknowledges it.
//
// Called by one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

// What changes together.
struct StoreChange {
  std::optional<Job> job;  // added, or in place of the one with its id
  std::vector<CheckpointRecord> checkpoints;
  std::vector<std::pair<std::string, int64_t>> erased_checkpoints;  // job id, step
  std::optional<std::string> erased_job;                            // with its checkpoints
};

struct StoredState {
  std::vector<Job> jobs;
  std::vector<CheckpointRecord> checkpoints;
};

class JobStore {
 public:
  virtual ~JobStore() = default;

  virtual absl::StatusOr<StoredState> Load() = 0;
  // All of it or nothing, durable when it returns OK. RESOURCE_EXHAUSTED or UNAVAILABLE: nothing was changed.
  // ABORTED: what was changed is unknown, or another coordinator took the store; only a new Load can tell.
  virtual absl::Status Write(const StoreChange& change) = 0;
};

}  // namespace ip2p::training_coordinator
