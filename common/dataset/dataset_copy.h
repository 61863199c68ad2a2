// Datasets at s3:// as folders: the cache holds a copy, which is brought up to date by what changed.
//
// The copy is a dataset as any other (FORMAT.md). It grows and is read at the same time, as one on a shared
// disk: each prompt is published whole. What was copied stands in `.objects.jsonl`, by name and ETag.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
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

// How far a copy is. Prompts come in the order of their keys, after run.json.
struct DatasetCopyProgress {
  int64_t done = 0;     // objects, of those that have to be copied
  int64_t objects = 0;  // those
  int64_t prompts = 0;  // of the dataset, those that are left out as well
  std::string next;     // the first object that is not there yet, or is left out; empty: all are there

  // Whether all of a prompt's folder is there: "0" follows "/", so `next` lies behind FOLDER.tar and
  // FOLDER/...
  bool Has(const std::string& folder) const { return next.empty() || folder + "0" <= next; }
};

struct DatasetCopyOptions {
  // Called when the objects are listed, and whenever a few more are there; in between nothing is copied. May
  // be null.
  std::function<void(const DatasetCopyProgress&)> progress;
  // While another process brings the same copy up to date; else UNAVAILABLE.
  bool wait = true;
  // Of prompts. Those beyond are left out; their copies are kept where there are some.
  int64_t max_bytes = std::numeric_limits<int64_t>::max();
};

// The same with a store and a cache of one's own. The store's Cancel ends it.
absl::StatusOr<std::string> LocalDatasetIn(ObjectStore& store, const std::string& cache, const ObjectUrl& url,
                                           const DatasetCopyOptions& options);

// The folder of the copy, whether it is there or not.
std::string DatasetCopyFolder(const ObjectStore& store, const std::string& cache, const ObjectUrl& url);

// Writes FOLDER/`name` to where the dataset came from, when `path` is a URL.
absl::Status SendBack(const std::string& path, const std::string& folder, const std::string& name);

}  // namespace ip2p
