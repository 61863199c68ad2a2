// One owner per partition of a dataset at s3://: the lease of partition_lock.h as an object, which is written
// on the condition that it is absent or still the one that was found. Of several who take over, one gets it.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset/partition_lock.h"
#include "common/object_store/object_store.h"

namespace ip2p {

// As PartitionLock::Acquire, for a dataset below `url`. A store that knows no conditions keeps nobody out:
// two owners then do the same work twice, and their objects are the same bytes.
absl::StatusOr<std::unique_ptr<PartitionLock>> AcquireObjectLock(ObjectStore& store, const ObjectUrl& url,
                                                                 Share share, const LockOptions& options);

}  // namespace ip2p
