// Files to objects and back, as tasks. One thread, that of the client's loop; files are read and written on
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/base/cancel_token.h"
#include "common/base/task.h"
#include "common/object_store/object_url.h"
#include "common/object_store/s3_client.h"

namespace ip2p {

// Told the bytes that were moved since it was last called. On the loop's thread; may be null.
using MovedBytes = std::function<void(int64_t bytes)>;

// Writes the file as an object, whole or not at all: by one request, or in parts when it is longer than one.
// An upload in parts that fails is aborted, so that the store keeps no parts of it; a process that is killed
// leaves them, for the bucket's rule on unfinished uploads to clear away. Errors: those of S3Client,
// NOT_FOUND or INVALID_ARGUMENT (no regular file), FAILED_PRECONDITION (the file changed meanwhile).
Task<absl::Status> UploadFile(S3Client* client, std::string path, ObjectUrl url, MovedBytes moved,
                              CancelToken* cancel);

// Publishes the object as the file `path`, compared with its checksum where the store knows one, and with its
// length. What was read stands in ".tmp-part-..." beside the target until it is whole: the next call goes on
// there as long as the object is the same. Errors: those of S3Client; ABORTED: the object changes, or another
// process is at the same file; DATA_LOSS; RESOURCE_EXHAUSTED, UNAVAILABLE: the disk.
Task<absl::Status> DownloadFile(S3Client* client, ObjectUrl url, std::string path, MovedBytes moved,
                                CancelToken* cancel);

}  // namespace ip2p
