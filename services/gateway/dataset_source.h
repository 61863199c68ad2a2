// Where the datasets of a catalog are: a folder, or s3://, whose objects are copied to the cache
// (common/dataset/dataset_copy.h). Either way a dataset is read from a folder. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/dataset_copy.h"

namespace ip2p::gateway {

inline constexpr size_t kMaxDatasets = 1000;

class DatasetSource {
 public:
  using Grew = std::function<void(const DatasetCopyProgress&)>;

  virtual ~DatasetSource() = default;

  // Names of the datasets, sorted; at most kMaxDatasets. UNAVAILABLE, with what was found: they cannot be
  // listed.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;
  // The folder to read the dataset from, which need not be there before an Update. NOT_FOUND; UNAVAILABLE: it
  // is not known which datasets there are.
  virtual absl::StatusOr<std::string> FolderOf(const std::string& name) = 0;
  // Brings that folder up to date; of one dataset once at a time, for hours. `grew` is called as by
  // DatasetCopyOptions, or never where nothing is copied. NOT_FOUND: the dataset is gone. UNAVAILABLE.
  virtual absl::Status Update(const std::string& name, const Grew& grew) = 0;
  // Ends every Update.
  virtual void Stop() = 0;
};

// Of a folder's path or a URL; null when `where` is empty. At most `copy_bytes` of a dataset are copied.
// INVALID_ARGUMENT: the URL, or a variable of the object store (store_settings.h); errors of CacheFolder.
absl::StatusOr<std::unique_ptr<DatasetSource>> OpenDatasetSource(const std::string& where,
                                                                 int64_t copy_bytes);

// "a", but neither "a/b" nor what is hidden or being written (".a").
bool IsDatasetName(const std::string& name);

}  // namespace ip2p::gateway
