#include "services/gateway/dataset_source.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/object_store/cache_folder.h"
#include "common/object_store/object_store.h"
#include "common/object_store/object_url.h"
#include "common/object_store/store_settings.h"
#include "services/gateway/bucket_datasets.h"
#include "services/gateway/folder_datasets.h"

namespace ip2p::gateway {

bool IsDatasetName(const std::string& name) { return IsPlainName(name) && !name.starts_with("."); }

absl::StatusOr<std::unique_ptr<DatasetSource>> OpenDatasetSource(const std::string& where,
                                                                 int64_t copy_bytes) {
  if (where.empty()) return std::unique_ptr<DatasetSource>();
  if (!IsObjectUrl(where)) return std::make_unique<FolderDatasets>(where);
  IP2P_ASSIGN_OR_RETURN(ObjectUrl url, ParseObjectUrl(where));
  IP2P_ASSIGN_OR_RETURN(StoreSettings settings, StoreSettingsFrom(ProcessEnvironment()));
  // Somebody looks at the page: a store that is away is told within seconds, and asked again at the next
  // look.
  settings.connect_timeout = absl::Seconds(3);
  settings.stall_timeout = absl::Seconds(10);
  settings.retry = {.max_attempts = 4, .first_wait = absl::Milliseconds(200)};
  IP2P_ASSIGN_OR_RETURN(std::string cache, CacheFolder("datasets"));
  return std::make_unique<BucketDatasets>(std::make_unique<ObjectStore>(std::move(settings)),
                                          std::move(cache), std::move(url), copy_bytes);
}

}  // namespace ip2p::gateway
