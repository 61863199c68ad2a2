// The datasets of one folder. Each is read once by a thread of its own when it is first asked for, and what
// was published since is added when it is asked for again. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/gateway/dataset_index.h"

namespace ip2p::gateway {

// How far the reading is; `index` may be looked at during the call that it is given to.
struct DatasetView {
  const DatasetIndex* index = nullptr;
  int64_t folders_total = 0;
  bool reading = false;
  std::optional<ClipThresholds> thresholds;  // of run.json
  int max_out_samples = 4;
};

class DatasetCatalog {
 public:
  // An empty folder name: no datasets.
  DatasetCatalog(std::string folder, int max_rows) : folder_(std::move(folder)), max_rows_(max_rows) {}
  ~DatasetCatalog();  // stops reading

  // Names of the folders that are datasets, sorted. FAILED_PRECONDITION: the gateway has none.
  absl::StatusOr<std::vector<std::string>> List() const;
  // Calls `look` with what is read so far, after waiting a moment for a first reading. NOT_FOUND.
  absl::Status Look(const std::string& name, const std::function<void(const DatasetView&)>& look);
  // For texts and images. NOT_FOUND.
  absl::StatusOr<PromptRecord> ReadPrompt(const std::string& name, const std::string& folder);
  absl::StatusOr<std::string> ReadImage(const std::string& name, const std::string& folder,
                                        const std::string& file);

 private:
  struct Entry {
    explicit Entry(std::string p) : path(std::move(p)) {}
    const std::string path;
    absl::Mutex mutex;
    std::optional<DatasetIndex> index ABSL_GUARDED_BY(mutex);
    std::optional<DatasetReader> reader ABSL_GUARDED_BY(mutex);
    std::string run_file ABSL_GUARDED_BY(mutex);  // a refilter changes it, and with it every folder
    int64_t folders_total ABSL_GUARDED_BY(mutex) = 0;
    bool reading ABSL_GUARDED_BY(mutex) = false;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    absl::Time read_at ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
    std::thread thread;
  };

  absl::StatusOr<std::string> PathOf(const std::string& name) const;
  absl::StatusOr<std::shared_ptr<Entry>> Find(const std::string& name);
  static void ReadNew(Entry& entry, size_t max_rows);

  const std::string folder_;
  const int max_rows_;
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
