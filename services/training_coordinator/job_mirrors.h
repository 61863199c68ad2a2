// The copies of runs that workers keep at an object store (common/training/FORMAT.md), and the little that
// the coordinator does there. Thread-safe; calls wait for the store, which may be a minute.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/object_store/object_store.h"

namespace ip2p::training_coordinator {

class JobMirrors {
 public:
  // `store` outlives it. Below `url` each job has a folder by its id.
  JobMirrors(ObjectStore* store, ObjectUrl url) : store_(store), url_(std::move(url)) {}

  // "s3://bucket/runs/JOB".
  std::string Url(const std::string& job_id) const { return url_.Child(job_id).text(); }

  // As those of JobFolders. NOT_FOUND: no whole checkpoint is there. Each may end with an error of the store.
  absl::Status Pin(const std::string& job_id, int64_t step) const;
  absl::Status Unpin(const std::string& job_id, int64_t step) const;
  // The model that was made with a checkpoint, as files below `folder`, which is there. FAILED_PRECONDITION:
  // there is none. DATA_LOSS: other bytes than were stored.
  absl::Status CopyExport(const std::string& job_id, int64_t step, const std::string& folder) const;
  absl::Status DeleteJob(const std::string& job_id) const;

 private:
  ObjectUrl Checkpoint(const std::string& job_id, int64_t step) const;

  ObjectStore* const store_;
  const ObjectUrl url_;
};

}  // namespace ip2p::training_coordinator
