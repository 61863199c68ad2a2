// One process's hold on one partition of a dataset: what is finished, and publishing what is new.
//
//   auto writer = PartitionWriter::Open({.dataset = out, .share = ShareOf(n, partitions, p), .settings =
//   ...}); ABORTED: another process works on this partition; exit 0. for (i = share.begin; i < share.end;
//   ++i) if (!*writer->Finished(i)) writer->Publish(i, contents);
//
// One thread. Destroyed, it gives the partition back. A killed process leaves temporary folders; the
// partition's next Open removes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/partition_lock.h"
#include "common/dataset/prompt_folder.h"
#include "common/dataset/run_file.h"

namespace ip2p {

struct PartitionOptions {
  std::string dataset;  // a folder, made when there is none; or a URL
  Share share;          // rows of the prompts file, from 0
  RunSettings known;    // settings that are known before the models are loaded
  LockOptions lock;
};

// Removes what killed processes left of the prompts of `share`; of kAllPrompts, every temporary entry. A
// folder that was about to be replaced is put back. Only for who holds it.
absl::Status RemoveStale(const std::string& dataset, Share share);

class PartitionWriter {
 public:
  // `dataset` may be a URL of an object store (object_partition.h). Errors: those of PartitionLock::Acquire
  // and CheckRun (FAILED_PRECONDITION: other settings), and of the store.
  static absl::StatusOr<std::unique_ptr<PartitionWriter>> Open(const PartitionOptions& options);
  virtual ~PartitionWriter() = default;

  // Before the first Publish. Errors: those of AgreeOnRun.
  virtual absl::Status Agree(const RunSettings& settings) = 0;
  virtual absl::StatusOr<bool> Finished(int64_t prompt_index) const = 0;
  // Errors: ABORTED when the partition was lost, those of PublishPrompt. A folder that exists is no error:
  // its bytes are the same.
  virtual absl::Status Publish(int64_t prompt_index, const PromptContents& contents) = 0;
  // The same with files as they are.
  virtual absl::Status Publish(int64_t prompt_index, std::span<const FolderFile> files) = 0;
  virtual absl::Status Held() const = 0;
};

}  // namespace ip2p
