// An object store as a program uses it: every call waits until it is done. Any thread, many at once; the
// requests themselves run on a thread of the store's own.
//
//   IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
//   IP2P_ASSIGN_OR_RETURN(const ObjectBytes run, store->Get(*ParseObjectUrl("s3://data/pairs/run.json"), 1 <<
//   20));
//
// Errors name the URL, what was found and what is wanted, and never a key; codes as in s3_answer.h. What may
// pass (a store that is away, 503) was tried again for about a minute before it is told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/http/curl_http_client.h"
#include "common/http/loop_thread.h"
#include "common/object_store/object_url.h"
#include "common/object_store/s3_client.h"
#include "common/object_store/transfer.h"

namespace ip2p {

// A file and the object that it becomes or that it comes from.
struct FileTransfer {
  std::string path;
  ObjectUrl url;
};

class ObjectStore {
 public:
  // The one that the environment names (store_settings.h), made at its first use and kept for ever.
  static absl::StatusOr<ObjectStore*> Shared();

  explicit ObjectStore(StoreSettings settings);
  virtual ~ObjectStore();  // calls must be over
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;

  const StoreSettings& settings() const { return client_->settings(); }

  // Virtual for tests that keep objects in memory.
  virtual absl::StatusOr<ObjectFacts> Head(const ObjectUrl& url);
  // RESOURCE_EXHAUSTED above `max_bytes`; DATA_LOSS when the bytes are not those of the checksum.
  virtual absl::StatusOr<ObjectBytes> Get(const ObjectUrl& url, size_t max_bytes);
  // Gives the ETag. ABORTED when the condition does not hold.
  virtual absl::StatusOr<std::string> Put(const ObjectUrl& url, std::string bytes,
                                          PutCondition condition = {});
  virtual absl::Status Delete(const ObjectUrl& url);
  // All objects below url.prefix(), by key, after the key `start_after`; those for which `until` is true end
  // the list and are not in it. An empty list when there are none.
  virtual absl::StatusOr<std::vector<ListedObject>> List(
      const ObjectUrl& url, const std::string& start_after = "",
      const std::function<bool(const ListedObject&)>& until = {});
  // Names of the folders right below `url`, sorted, without what is in them: "pairs". At most about `most`.
  virtual absl::StatusOr<std::vector<std::string>> ListFolders(const ObjectUrl& url, size_t most);

  // transfer.h, several files side by side, each in its own order no matter. The first failure ends the rest.
  virtual absl::Status Upload(std::span<const FileTransfer> files, const MovedBytes& moved = {});
  virtual absl::Status Download(std::span<const FileTransfer> files, const MovedBytes& moved = {});

  // Ends every call under way, and all later ones, with CANCELLED; uploads in parts are aborted. Any thread.
  virtual void Cancel();

 private:
  template <typename T>
  T Wait(Task<T> task);
  using Transfer = Task<absl::Status> (*)(S3Client*, const FileTransfer*, MovedBytes, CancelToken*);
  Task<absl::Status> TransferAll(std::span<const FileTransfer> files, Transfer transfer, MovedBytes moved);

  LoopThread loop_;
  std::unique_ptr<CurlHttpClient> http_;
  std::unique_ptr<S3Client> client_;
  CancelToken cancel_;  // the loop's
};

}  // namespace ip2p
