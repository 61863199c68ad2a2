// Objects in memory, by "bucket/key". Thread-safe. A store of its own settings that never sends a request.
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/sha256.h"
#include "common/object_store/object_store.h"

namespace ip2p {

class FakeObjectStore final : public ObjectStore {
 public:
  using Objects = std::map<std::string, std::string>;
  // Asked before everything that is done, with "PUT", "GET", "HEAD", "DELETE" or "LIST"; not OK: it fails so.
  using Fault = std::function<absl::Status(const std::string& verb, const std::string& key)>;

  // `objects` outlives the store: another store, of another machine, may be made over the same.
  FakeObjectStore(Objects* objects, absl::Mutex* mutex, Fault fault = {})
      : ObjectStore(StoreSettings()), objects_(objects), mutex_(mutex), fault_(std::move(fault)) {}

  absl::StatusOr<ObjectFacts> Head(const ObjectUrl& url) override {
    const absl::StatusOr<std::string> bytes = Read("HEAD", url);
    if (!bytes.ok()) return bytes.status();
    return ObjectFacts{.size = static_cast<int64_t>(bytes->size()), .etag = Sha256Hex(*bytes)};
  }
  absl::StatusOr<ObjectBytes> Get(const ObjectUrl& url, size_t) override {
    absl::StatusOr<std::string> bytes = Read("GET", url);
    if (!bytes.ok()) return bytes.status();
    return ObjectBytes{.bytes = *bytes, .etag = Sha256Hex(*bytes)};
  }
  absl::StatusOr<std::string> Put(const ObjectUrl& url, std::string bytes, PutCondition) override {
    if (const absl::Status status = Ask("PUT", url); !status.ok()) return status;
    const absl::MutexLock lock(mutex_);
    std::string etag = Sha256Hex(bytes);
    (*objects_)[Name(url)] = std::move(bytes);
    return etag;
  }
  absl::Status Delete(const ObjectUrl& url) override {
    if (const absl::Status status = Ask("DELETE", url); !status.ok()) return status;
    const absl::MutexLock lock(mutex_);
    objects_->erase(Name(url));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ListedObject>> List(
      const ObjectUrl& url, const std::string& start_after,
      const std::function<bool(const ListedObject&)>& until) override {
    if (const absl::Status status = Ask("LIST", url); !status.ok()) return status;
    const std::string prefix = Name({url.bucket, url.prefix()});
    const absl::MutexLock lock(mutex_);
    std::vector<ListedObject> found;
    for (const auto& [name, bytes] : *objects_) {
      if (!name.starts_with(prefix)) continue;
      ListedObject object{.key = name.substr(url.bucket.size() + 1),
                          .size = static_cast<int64_t>(bytes.size()),
                          .etag = Sha256Hex(bytes)};
      if (object.key <= start_after) continue;
      if (until && until(object)) break;
      found.push_back(std::move(object));
    }
    return found;
  }
  absl::StatusOr<std::vector<std::string>> ListFolders(const ObjectUrl& url, size_t) override {
    if (const absl::Status status = Ask("LIST", url); !status.ok()) return status;
    const std::string prefix = Name({url.bucket, url.prefix()});
    const absl::MutexLock lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [name, bytes] : *objects_) {
      const size_t slash = name.starts_with(prefix) ? name.find('/', prefix.size()) : std::string::npos;
      if (slash == std::string::npos) continue;
      std::string folder = name.substr(prefix.size(), slash - prefix.size());
      if (found.empty() || found.back() != folder) found.push_back(std::move(folder));
    }
    return found;
  }
  absl::Status Upload(std::span<const FileTransfer> files, const MovedBytes& moved) override {
    for (const FileTransfer& file : files) {
      std::ifstream in(file.path, std::ios::binary);
      if (!in) return absl::NotFoundError(absl::StrCat("the file for ", file.url.text(), " cannot be read"));
      std::ostringstream text;
      text << in.rdbuf();
      const auto size = static_cast<int64_t>(text.str().size());
      if (const absl::Status status = Put(file.url, text.str(), {}).status(); !status.ok()) return status;
      if (moved) moved(size);
    }
    return absl::OkStatus();
  }
  absl::Status Download(std::span<const FileTransfer> files, const MovedBytes&) override {
    for (const FileTransfer& file : files) {
      const absl::StatusOr<std::string> bytes = Read("GET", file.url);
      if (!bytes.ok()) return bytes.status();
      std::ofstream(file.path, std::ios::binary) << *bytes;
    }
    return absl::OkStatus();
  }
  void Cancel() override {
    const absl::MutexLock lock(mutex_);
    cancelled_ = true;
  }
  bool cancelled() const {
    const absl::MutexLock lock(mutex_);
    return cancelled_;
  }

 private:
  static std::string Name(const ObjectUrl& url) { return absl::StrCat(url.bucket, "/", url.key); }
  absl::Status Ask(const char* verb, const ObjectUrl& url) const {
    if (cancelled()) return absl::CancelledError("given up");
    return fault_ ? fault_(verb, url.key) : absl::OkStatus();
  }
  absl::StatusOr<std::string> Read(const char* verb, const ObjectUrl& url) const {
    if (const absl::Status status = Ask(verb, url); !status.ok()) return status;
    const absl::MutexLock lock(mutex_);
    const auto found = objects_->find(Name(url));
    if (found == objects_->end()) return absl::NotFoundError(absl::StrCat(url.text(), ": no such object"));
    return found->second;
  }

  Objects* const objects_;
  absl::Mutex* const mutex_;
  const Fault fault_;
  bool cancelled_ = false;
};

}  // namespace ip2p
