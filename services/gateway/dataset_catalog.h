// The datasets of one place (dataset_source.h). Each is read once by a thread of its own when it is first
// asked for, and what was published since is added when it is asked for again. Thread-safe.
//
// A place that is away costs nothing but news: what was read stays, and is told with the fault.
#pragma once

#include <cstdint>
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
#include "absl/time/time.h"
#include "services/gateway/dataset_index.h"
#include "services/gateway/dataset_source.h"

namespace ip2p::gateway {

// How far the reading is; `index` may be looked at during the call that it is given to.
struct DatasetView {
  const DatasetIndex* index = nullptr;
  int64_t folders_total = 0;
  bool reading = false;
  bool cut = false;                          // what lies beyond the limit of a copy is not in the index
  std::string fault;                         // why what is published since is missing; empty: it is not
  std::optional<ClipThresholds> thresholds;  // of run.json
  int max_out_samples = 4;
};

class DatasetCatalog {
 public:
  // No source: no datasets.
  DatasetCatalog(std::unique_ptr<DatasetSource> source, int max_rows,
                 absl::Duration read_again_after = absl::Seconds(5))
      : source_(std::move(source)), max_rows_(max_rows), read_again_after_(read_again_after) {}
  ~DatasetCatalog();  // stops reading

  // Names of the datasets, sorted. FAILED_PRECONDITION: the gateway has none. UNAVAILABLE.
  absl::StatusOr<std::vector<std::string>> List() const;
  // Calls `look` with what is read so far, after waiting a moment for a first reading. NOT_FOUND;
  // UNAVAILABLE, with the cause where there is one: nothing is read yet.
  absl::Status Look(const std::string& name, const std::function<void(const DatasetView&)>& look);
  // For texts and images, from a disk always. NOT_FOUND; UNAVAILABLE as above.
  absl::StatusOr<PromptRecord> ReadPrompt(const std::string& name, const std::string& folder);
  absl::StatusOr<std::string> ReadImage(const std::string& name, const std::string& folder,
                                        const std::string& file);

 private:
  struct Entry {
    Entry(std::string n, std::string p) : name(std::move(n)), path(std::move(p)) {}
    const std::string name;
    const std::string path;
    absl::Mutex mutex;
    std::optional<DatasetIndex> index ABSL_GUARDED_BY(mutex);
    std::optional<DatasetReader> reader ABSL_GUARDED_BY(mutex);
    std::string run_file ABSL_GUARDED_BY(mutex);  // a refilter changes it, and with it every folder
    int64_t folders_total ABSL_GUARDED_BY(mutex) = 0;
    bool cut ABSL_GUARDED_BY(mutex) = false;
    absl::Status fault ABSL_GUARDED_BY(mutex);  // of the last reading
    bool reading ABSL_GUARDED_BY(mutex) = false;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    absl::Time read_again_at ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
    std::thread thread;
  };

  absl::StatusOr<std::shared_ptr<Entry>> Find(const std::string& name);
  absl::StatusOr<DatasetReader> ReaderOf(const std::string& name);
  void ReadNew(Entry& entry) const;
  absl::Status AddNew(Entry& entry, const DatasetCopyProgress& progress) const;

  const std::unique_ptr<DatasetSource> source_;
  const int max_rows_;
  const absl::Duration read_again_after_;
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
