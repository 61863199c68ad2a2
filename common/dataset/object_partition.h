// A partition of a dataset at s3:// (FORMAT.md): a prompt is one object, written by one request, so it is
// whole or absent and finished when it is there, as a folder is on a disk. Whoever starts elsewhere lists the
// objects and goes on with the first prompt that is missing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/partition_writer.h"
#include "common/object_store/object_store.h"

namespace ip2p {

// "0000012.tar".
std::string PromptObjectName(int64_t prompt_index);
// The prompt of an object below the dataset's URL, by its name: of "0000012.tar", and of
// "0000012/prompt.json" in a dataset that was copied file by file. Nothing for others.
std::optional<int64_t> PromptOfObject(std::string_view name);

// A prompt's folder as a tar archive of NAME/FILE, in the order given: equal files are equal bytes.
absl::StatusOr<std::string> PackPrompt(const std::string& folder, std::span<const FolderFile> files);
// Back. DATA_LOSS: no such archive, a name that leads elsewhere, more than 1 GiB.
absl::StatusOr<std::vector<PromptFile>> UnpackPrompt(int fd, const std::string& folder);

// As PartitionWriter::Open, for prompts of `options.share` below `url`. Errors: those of the lock and of the
// store; FAILED_PRECONDITION: other settings.
absl::StatusOr<std::unique_ptr<PartitionWriter>> OpenObjectPartition(ObjectStore& store, const ObjectUrl& url,
                                                                     const PartitionOptions& options);

}  // namespace ip2p
