// The datasets at s3://BUCKET/PREFIX/NAME, copied to the cache when they are looked at.
//
// Which there are is asked by a thread of its own, at most every few seconds and only when somebody wants to
// know, so no page waits for a store that is away. Only names that the store lists are ever asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/object_store/object_store.h"
#include "common/object_store/object_url.h"
#include "services/gateway/dataset_source.h"

namespace ip2p::gateway {

class BucketDatasets final : public DatasetSource {
 public:
  BucketDatasets(std::unique_ptr<ObjectStore> store, std::string cache, ObjectUrl url, int64_t copy_bytes,
                 absl::Duration ask_again_after = absl::Seconds(5))
      : store_(std::move(store)),
        cache_(std::move(cache)),
        url_(std::move(url)),
        copy_bytes_(copy_bytes),
        ask_again_after_(ask_again_after) {}
  ~BucketDatasets() override;

  // Waits a moment for the store, then tells what is known. UNAVAILABLE holds the store's answer.
  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> FolderOf(const std::string& name) override;
  absl::Status Update(const std::string& name, const Grew& grew) override;
  void Stop() override;

 private:
  void AskAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ask();
  absl::StatusOr<std::set<std::string>> FindDatasets(const std::set<std::string>& known);
  absl::StatusOr<bool> IsDataset(const std::string& name);

  const std::unique_ptr<ObjectStore> store_;
  const std::string cache_;
  const ObjectUrl url_;
  const int64_t copy_bytes_;
  const absl::Duration ask_again_after_;

  absl::Mutex mutex_;
  std::set<std::string> names_ ABSL_GUARDED_BY(mutex_);  // of the last list that came
  bool listed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status fault_ ABSL_GUARDED_BY(mutex_);  // of the last one that did not
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time ask_again_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
