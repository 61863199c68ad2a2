#include "common/object_store/object_store.h"

#include <optional>
#include <utility>

#include "absl/base/const_init.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr int kFilesAtOnce = 8;

double Random() { return RandomUint32() / 4294967296.0; }

template <typename T>
Task<void> Keep(Task<T> task, std::optional<T>* result, absl::Notification* done) {
  T value = co_await std::move(task);
  result->emplace(std::move(value));
  done->Notify();
}

Task<absl::Status> UploadOne(S3Client* client, const FileTransfer* file, MovedBytes moved,
                             CancelToken* cancel) {
  return UploadFile(client, file->path, file->url, std::move(moved), cancel);
}

Task<absl::Status> DownloadOne(S3Client* client, const FileTransfer* file, MovedBytes moved,
                               CancelToken* cancel) {
  return DownloadFile(client, file->url, file->path, std::move(moved), cancel);
}

// What the transfers of one call share.
struct Batch {
  CancelToken stop;
  WaitGroup open;
  absl::Status fault;
};

Task<void> RunOne(Task<absl::Status> transfer, Batch* batch) {
  const absl::Status status = co_await std::move(transfer);
  if (!status.ok() && batch->fault.ok()) {
    batch->fault = status;
    batch->stop.Cancel();
  }
  batch->open.Done();
}

}  // namespace

absl::StatusOr<ObjectStore*> ObjectStore::Shared() {
  static absl::Mutex mutex(absl::kConstInit);
  static ObjectStore* store = nullptr;  // never freed: threads may ask until the process ends
  const absl::MutexLock lock(&mutex);
  if (store != nullptr) return store;
  IP2P_ASSIGN_OR_RETURN(StoreSettings settings, StoreSettingsFrom(ProcessEnvironment()));
  store = new ObjectStore(std::move(settings));
  return store;
}

ObjectStore::ObjectStore(StoreSettings settings) {
  loop_.Call([this, &settings] {
    http_ = std::make_unique<CurlHttpClient>(&loop_.loop(), CurlHttpOptions{.ca_file = settings.ca_file});
    client_ = std::make_unique<S3Client>(http_.get(), &loop_.loop(), std::move(settings), Random);
  });
}

ObjectStore::~ObjectStore() {
  loop_.Call([this] {
    client_.reset();
    http_.reset();
  });
}

template <typename T>
T ObjectStore::Wait(Task<T> task) {
  std::optional<T> result;
  absl::Notification done;
  loop_.Post([&] { Spawn(Keep<T>(std::move(task), &result, &done)); });
  done.WaitForNotification();
  return *std::move(result);
}

absl::StatusOr<ObjectFacts> ObjectStore::Head(const ObjectUrl& url) {
  return Wait(client_->Head(url, &cancel_));
}

absl::StatusOr<ObjectBytes> ObjectStore::Get(const ObjectUrl& url, size_t max_bytes) {
  return Wait(client_->Get(url, max_bytes, &cancel_));
}

absl::StatusOr<std::string> ObjectStore::Put(const ObjectUrl& url, std::string bytes,
                                             PutCondition condition) {
  return Wait(client_->Put(url, std::move(bytes), std::move(condition), &cancel_));
}

absl::Status ObjectStore::Delete(const ObjectUrl& url) { return Wait(client_->Delete(url, &cancel_)); }

absl::StatusOr<std::vector<ListedObject>> ObjectStore::List(
    const ObjectUrl& url, const std::string& start_after,
    const std::function<bool(const ListedObject&)>& until) {
  std::vector<ListedObject> objects;
  std::string token;
  do {
    IP2P_ASSIGN_OR_RETURN(ListPage page, Wait(client_->List(url, start_after, token, &cancel_)));
    for (ListedObject& object : page.objects) {
      if (until && until(object)) return objects;
      objects.push_back(std::move(object));
    }
    if (!page.next.empty() && page.next == token) {
      return absl::UnavailableError(absl::StrCat(url.text(), ": the store's list does not go on"));
    }
    token = std::move(page.next);
  } while (!token.empty());
  return objects;
}

absl::StatusOr<std::vector<std::string>> ObjectStore::ListFolders(const ObjectUrl& url, size_t most) {
  const std::string prefix = url.prefix();
  std::vector<std::string> names;
  std::string token;
  do {
    IP2P_ASSIGN_OR_RETURN(ListPage page, Wait(client_->ListFolders(url, token, &cancel_)));
    for (const std::string& folder : page.folders) {
      if (!folder.starts_with(prefix) || folder.size() < prefix.size() + 2) continue;  // "//" names nothing
      names.push_back(folder.substr(prefix.size(), folder.size() - prefix.size() - 1));
    }
    if (!page.next.empty() && page.next == token) {
      return absl::UnavailableError(absl::StrCat(url.text(), ": the store's list does not go on"));
    }
    token = std::move(page.next);
  } while (!token.empty() && names.size() < most);
  return names;
}

Task<absl::Status> ObjectStore::TransferAll(std::span<const FileTransfer> files, Transfer transfer,
                                            MovedBytes moved) {
  Batch batch;
  const CancelToken::Callback on_cancel(&cancel_, [&batch] { batch.stop.Cancel(); });
  for (const FileTransfer& file : files) {
    co_await batch.open.WaitUntil(kFilesAtOnce - 1);
    if (!batch.fault.ok()) break;
    batch.open.Add();
    Spawn(RunOne(transfer(client_.get(), &file, moved, &batch.stop), &batch));
  }
  co_await batch.open.Wait();
  co_return batch.fault;
}

absl::Status ObjectStore::Upload(std::span<const FileTransfer> files, const MovedBytes& moved) {
  return Wait(TransferAll(files, UploadOne, moved));
}

absl::Status ObjectStore::Download(std::span<const FileTransfer> files, const MovedBytes& moved) {
  return Wait(TransferAll(files, DownloadOne, moved));
}

void ObjectStore::Cancel() {
  loop_.Post([this] { cancel_.Cancel(); });
}

}  // namespace ip2p
