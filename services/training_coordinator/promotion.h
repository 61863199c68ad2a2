// From a checkpoint to what edit servers serve: checked, pinned, published as a model folder, loaded. Every
// step may be done again, so that a promotion which failed half-way is simply repeated. Blocks for as long as
// the edit server loads.
#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/job_folders.h"
#include "services/training_coordinator/job_mirrors.h"
#include "services/training_coordinator/model_server.h"

namespace ip2p::training_coordinator {

struct Promoted {
  CheckpointRecord checkpoint;
  std::string model;
};

// Every file that the checkpoint's state.json names, against its SHA-256. DATA_LOSS names the file.
absl::Status CheckDigests(const std::string& checkpoint_folder);

class Promotion {
 public:
  // `server` may be null: then every promotion is FAILED_PRECONDITION. `mirrors` may be null. Where the job's
  // folder lacks the checkpoint, because its workers share no disk with this process, it is its mirror's.
  Promotion(Coordinator* coordinator, const JobFolders* folders, ModelServer* server,
            const JobMirrors* mirrors = nullptr)
      : coordinator_(coordinator), folders_(folders), server_(server), mirrors_(mirrors) {}

  // Errors: NOT_FOUND (job, checkpoint, model), DATA_LOSS (the checkpoint is damaged), FAILED_PRECONDITION
  // (it has no export; the edit server refuses it), UNAVAILABLE (no edit server answers), disk and stores.
  absl::StatusOr<Promoted> Promote(const std::string& job_id, std::optional<int64_t> step,
                                   const std::string& model, absl::Time deadline);

 private:
  // Pins it wherever it is; says whether it is in the job's folder.
  absl::StatusOr<bool> Pin(const CheckpointRecord& checkpoint) const;
  void Unpin(const CheckpointRecord& checkpoint) const;
  absl::Status Publish(const CheckpointRecord& checkpoint, bool is_here, const std::string& model) const;

  Coordinator* const coordinator_;
  const JobFolders* const folders_;
  ModelServer* const server_;
  const JobMirrors* const mirrors_;
  absl::Mutex one_at_a_time_;
};

}  // namespace ip2p::training_coordinator
