// The requests of an object store as tasks, each signed, judged and tried again by one policy.
//
// One thread, that of its loop. At most StoreSettings::parallel requests are under way. Every error names the
// URL; codes are those of s3_answer.h, and DATA_LOSS for bytes that stay wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/cancel_token.h"
#include "common/base/semaphore.h"
#include "common/base/task.h"
#include "common/http/event_loop.h"
#include "common/http/http_client.h"
#include "common/object_store/checksum.h"
#include "common/object_store/s3_request.h"
#include "common/object_store/s3_xml.h"
#include "common/object_store/store_settings.h"

namespace ip2p {

struct ObjectFacts {
  int64_t size = 0;  // bytes
  std::string etag;  // changes with the contents
  ObjectChecksums checksums;
};

struct ObjectBytes {
  std::string bytes;
  std::string etag;
};

// What has to be so for an object to be written.
struct PutCondition {
  bool absent = false;  // no object has that key
  std::string etag;     // the object has this one; empty: whatever there is
};

class S3Client {
 public:
  // Both must outlive the client. `random` in [0, 1), for the waits between tries.
  S3Client(HttpClient* http, EventLoop* loop, StoreSettings settings, std::function<double()> random);

  const StoreSettings& settings() const { return settings_; }
  EventLoop& loop() { return *loop_; }

  Task<absl::StatusOr<ObjectFacts>> Head(ObjectUrl url, CancelToken* cancel);
  // A whole object of at most `max_bytes` (RESOURCE_EXHAUSTED), compared with its checksum.
  Task<absl::StatusOr<ObjectBytes>> Get(ObjectUrl url, size_t max_bytes, CancelToken* cancel);
  // Bytes begin..begin+size-1, all of them, of the object that has this ETag: ABORTED when it has not.
  Task<absl::StatusOr<std::string>> GetPart(ObjectUrl url, std::string etag, int64_t begin, int64_t size,
                                            CancelToken* cancel);
  // Gives the ETag. ABORTED when the condition does not hold. A store that knows no conditions may write
  // nevertheless, or answer UNIMPLEMENTED.
  Task<absl::StatusOr<std::string>> Put(ObjectUrl url, std::string bytes, PutCondition condition,
                                        CancelToken* cancel);
  // One that is not there is no error.
  Task<absl::Status> Delete(ObjectUrl url, CancelToken* cancel);
  // Keys that begin with url.prefix(), by key, after `start_after`, a page of 1000 at most.
  Task<absl::StatusOr<ListPage>> List(ObjectUrl url, std::string start_after, std::string token,
                                      CancelToken* cancel);
  // The same, but what lies deeper than right below `url` is told by its folder alone.
  Task<absl::StatusOr<ListPage>> ListFolders(ObjectUrl url, std::string token, CancelToken* cancel);

  // The steps of a write in parts. `sha256` (hexadecimal, of the whole) is noted with the object.
  Task<absl::StatusOr<std::string>> StartUpload(ObjectUrl url, std::string sha256, CancelToken* cancel);
  Task<absl::StatusOr<UploadedPart>> PutPart(ObjectUrl url, std::string upload, int number, std::string bytes,
                                             CancelToken* cancel);
  // OK as well when an earlier try was heard whose answer was lost: the object has that SHA-256 then.
  Task<absl::Status> FinishUpload(ObjectUrl url, std::string upload, std::vector<UploadedPart> parts,
                                  std::string sha256, CancelToken* cancel);
  Task<absl::Status> AbortUpload(ObjectUrl url, std::string upload);

 private:
  // Looks at a success: an error makes it a failure that may pass (UNAVAILABLE) or that is one of the bytes
  // (DATA_LOSS), and is tried again.
  using Check = std::function<absl::Status(const HttpResponse&)>;

  Task<absl::StatusOr<ListPage>> GetListPage(S3Request request, CancelToken* cancel);
  Task<absl::StatusOr<HttpResponse>> Exchange(S3Request request, Check check, CancelToken* cancel);
  Task<absl::StatusOr<HttpResponse>> SendOnce(HttpRequest request, CancelToken* cancel);
  // Keys that last for a while yet; `anew` gets new ones where they can be had.
  Task<absl::StatusOr<StoreKeys>> Keys(bool anew, CancelToken* cancel);
  Task<absl::StatusOr<StoreKeys>> AssumeRole(CancelToken* cancel);

  HttpClient* const http_;
  EventLoop* const loop_;
  const StoreSettings settings_;
  const std::function<double()> random_;
  Semaphore places_;
  Semaphore one_asks_for_keys_{1};
  StoreKeys keys_;
};

}  // namespace ip2p
