// Where a job's files lie in the data folder (FORMAT.md), and the few of them that the coordinator writes
// itself. Thread-safe: holds no state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p::training_coordinator {

class JobFolders {
 public:
  explicit JobFolders(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  const std::string& data_dir() const { return data_dir_; }
  std::string Folder(const std::string& job_id) const;
  std::string TokenFile(const std::string& job_id) const;
  std::string LogFolder(const std::string& job_id) const;
  std::string Checkpoint(const std::string& job_id, int64_t step) const;
  // The model that was made with a checkpoint, as a diffusers folder.
  std::string Export(const std::string& job_id, int64_t step) const;
  std::string Model(const std::string& name) const;  // that edit servers load
  std::string StoreFile() const;

  // The folders that all jobs share.
  absl::Status Prepare() const;
  // Makes the job's folder with a new token for its workers, readable by this user alone; gives its SHA-256.
  absl::StatusOr<std::string> MakeJob(const std::string& job_id) const;
  // Keeps a checkpoint's folder from the workers' clearing up, and gives it back to it. NOT_FOUND: no folder.
  absl::Status Pin(const std::string& job_id, int64_t step) const;
  absl::Status Unpin(const std::string& job_id, int64_t step) const;
  // Everything of the job but its pinned checkpoints.
  absl::Status DeleteJob(const std::string& job_id) const;

 private:
  const std::string data_dir_;
};

}  // namespace ip2p::training_coordinator
