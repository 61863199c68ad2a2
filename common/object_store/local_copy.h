// Paths that may be s3:// URLs, as paths of files: the objects are copied to the cache, whole and compared
// with their checksums, and copied again only when they change.
//
// A copy is a folder of its own for each state of the objects (their names, sizes and ETags), published by
// one rename and never changed: a model that is in use stays as it is. Of several processes that want one,
// one copies and the others wait. What a process was given stays until it ends; older states of the same URL
// that nobody uses are removed when a new one comes. An interrupted copy goes on where it stood.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/object_store/object_store.h"

namespace ip2p {

// `path` itself unless it is a URL. Else the local path of the object, or of the folder of all objects below
// it. Any thread; waits for gigabytes. NOT_FOUND: neither an object nor a prefix of any; INVALID_ARGUMENT (no
// URL, a key that can be no file's name); errors of ObjectStore and of the disk.
absl::StatusOr<std::string> LocalPath(const std::string& path);

// The same with a store and a cache of one's own.
absl::StatusOr<std::string> LocalPathIn(ObjectStore& store, const std::string& cache, const ObjectUrl& url);

}  // namespace ip2p
