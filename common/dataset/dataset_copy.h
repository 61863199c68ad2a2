// Datasets at s3:// as folders: the cache holds a copy, which is brought up to date by what changed.
//
// The copy is a dataset as any other (FORMAT.md). It grows and is read at the same time, as one on a shared
// disk: each prompt is published whole. What was copied stands in `.objects.jsonl`, by name and ETag.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/object_store/object_store.h"

namespace ip2p {

// `path` itself unless it is a URL. Else the folder of the copy, after everything below the URL is in it:
// prompts of "NNNNNNN.tar" as folders, other objects as files. Waits while another process brings the same
// copy up to date. NOT_FOUND: nothing is there. INVALID_ARGUMENT: a key that can be no file's name. Errors of
// the store and of the disk leave a copy that the next call completes.
absl::StatusOr<std::string> LocalDataset(const std::string& path);

// The same with a store and a cache of one's own. `progress` (objects done, of those to copy) may be null.
absl::StatusOr<std::string> LocalDatasetIn(ObjectStore& store, const std::string& cache, const ObjectUrl& url,
                                           const std::function<void(int64_t, int64_t)>& progress);

// Writes FOLDER/`name` to where the dataset came from, when `path` is a URL.
absl::Status SendBack(const std::string& path, const std::string& folder, const std::string& name);

}  // namespace ip2p
