#include "common/object_store/local_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/object_store/cache_folder.h"
#include "common/object_store/object_tree.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNameBytes = 40;  // of a URL's own name in that of its folder
constexpr size_t kDigits = 16;     // of a digest in it

absl::Mutex in_use_mutex(absl::kConstInit);

struct Held {
  std::string folder;
  FileLock lock;
};

// The copies that this process was given, by their family: the newest, which nobody removes while it lives,
// and the one before, which may just be opened. What is open outlives its removal.
std::map<std::string, std::vector<Held>>& InUse() {
  static auto* const held = new std::map<std::string, std::vector<Held>>();
  return *held;
}
constexpr size_t kHeld = 2;

// What a URL stands for now.
struct Found {
  bool one_object = false;
  std::vector<ListedObject> objects;
};

absl::StatusOr<Found> Find(ObjectStore& store, const ObjectUrl& url) {
  Found found;
  if (!url.key.empty() && !url.key.ends_with('/')) {
    const absl::StatusOr<ObjectFacts> facts = store.Head(url);
    if (facts.ok()) {
      found.one_object = true;
      found.objects.push_back({.key = url.key, .size = facts->size, .etag = facts->etag});
      return found;
    }
    if (!absl::IsNotFound(facts.status())) return facts.status();
  }
  IP2P_ASSIGN_OR_RETURN(found.objects, store.List(url));
  std::erase_if(found.objects, IsFolderMarker);
  if (found.objects.empty()) {
    return absl::NotFoundError(
        absl::StrCat(url.text(), " is neither an object nor a folder of some; wants what is there"));
  }
  return found;
}

// Letters and digits of the URL's name, for people who look into the cache.
std::string Readable(std::string name) {
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  }
  return name.substr(0, kNameBytes);
}

// "stable-diffusion-v1-5-0123456789abcdef-": of all states of the URL.
std::string FamilyOf(const ObjectStore& store, const ObjectUrl& url) {
  const std::string digest = Sha256Hex(absl::StrCat(store.settings().endpoint, "\n", url.text()));
  return absl::StrCat(Readable(url.base_name()), "-", digest.substr(0, kDigits), "-");
}

std::string StateOf(const Found& found) {
  Sha256 digest;
  for (const ListedObject& object : found.objects) {
    digest.Update(
        absl::StrCat(object.key.size(), " ", object.key, "\n", object.size, " ", object.etag, "\n"));
  }
  return digest.Finish().substr(0, kDigits);
}

bool IsThere(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

class Copy {
 public:
  Copy(ObjectStore& store, const ObjectUrl& url, const Found& found, std::string cache, std::string family)
      : store_(store), url_(url), found_(found), cache_(std::move(cache)), family_(std::move(family)) {
    folder_ = absl::StrCat(cache_, "/", family_, StateOf(found_));
  }

  absl::StatusOr<std::string> Get() {
    const absl::MutexLock lock(&in_use_mutex);
    std::vector<Held>& held = InUse()[family_];
    std::erase_if(held, [](const Held& one) { return !IsThere(one.folder); });  // somebody cleared the cache
    while (
        std::none_of(held.begin(), held.end(), [this](const Held& one) { return one.folder == folder_; })) {
      IP2P_ASSIGN_OR_RETURN(FileLock shared, FileLock::Take(LockPath(folder_), FileLock::Kind::kShared));
      if (IsThere(folder_)) {
        held.push_back({folder_, std::move(shared)});
        if (held.size() > kHeld) held.erase(held.begin());
        break;
      }
      shared = FileLock();
      IP2P_ASSIGN_OR_RETURN(const FileLock exclusive,
                            FileLock::Take(LockPath(folder_), FileLock::Kind::kExclusive));
      if (!IsThere(folder_)) IP2P_RETURN_IF_ERROR(Make());
    }
    return found_.one_object ? absl::StrCat(folder_, "/", Name()) : folder_;
  }

 private:
  static std::string LockPath(const std::string& folder) { return folder + ".lock"; }
  std::string Name() const { return url_.base_name(); }

  absl::StatusOr<std::vector<FileTransfer>> Plan(const std::string& folder) const {
    if (!found_.one_object) return FilesFor(found_.objects, url_, folder);
    if (!IsFileName(Name())) {
      return absl::InvalidArgumentError(absl::StrCat(url_.text(), " can be no file's name"));
    }
    IP2P_RETURN_IF_ERROR(MakeFolder(folder, "a folder of the cache"));
    return std::vector<FileTransfer>{{.path = absl::StrCat(folder, "/", Name()), .url = url_}};
  }

  // Under the exclusive lock.
  absl::Status Make() {
    RemoveOthers();
    // Of this state alone, so what an interrupted copy left in it is part of this one.
    const std::string unfinished = absl::StrCat(cache_, "/.tmp-", family_, StateOf(found_));
    IP2P_ASSIGN_OR_RETURN(std::vector<FileTransfer> files, Plan(unfinished));
    std::erase_if(files, [](const FileTransfer& file) {
      std::error_code error;
      return fs::is_regular_file(file.path, error);
    });
    int64_t bytes = 0;
    for (const ListedObject& object : found_.objects) bytes += object.size;
    Log(LogLevel::kInfo, "objects are copied to the cache",
        {{"url", url_.text()}, {"objects", static_cast<int64_t>(found_.objects.size())}, {"bytes", bytes}});
    const absl::Time start = absl::Now();
    IP2P_RETURN_IF_ERROR(store_.Download(files));
    IP2P_RETURN_IF_ERROR(Publish(unfinished));
    Log(LogLevel::kInfo, "objects are copied",
        {{"url", url_.text()}, {"seconds", absl::ToDoubleSeconds(absl::Now() - start)}});
    return absl::OkStatus();
  }

  // The files are synced; their names are with the file system as a whole.
  absl::Status Publish(const std::string& unfinished) const {
    const int fd = ::open(unfinished.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return IoError(errno, "a copy cannot be opened");
    const bool done = ::syncfs(fd) == 0 && ::rename(unfinished.c_str(), folder_.c_str()) == 0;
    const int error = errno;
    ::close(fd);
    return done ? absl::OkStatus() : IoError(error, "a copy cannot be renamed into place");
  }

  // Former states that no process uses. What cannot be removed stays for the next time.
  void RemoveOthers() const {
    std::vector<std::string> others;
    std::error_code error;
    for (fs::directory_iterator it(cache_, error), end; !error && it != end; it.increment(error)) {
      std::string name = it->path().filename().string();
      if (name.starts_with(".tmp-")) name = name.substr(5);
      if (!name.starts_with(family_) || name.ends_with(".lock")) continue;
      const std::string folder = absl::StrCat(cache_, "/", name);
      if (folder != folder_) others.push_back(folder);
    }
    for (const std::string& folder : others) {
      const absl::StatusOr<FileLock> lock = FileLock::Try(LockPath(folder), FileLock::Kind::kExclusive);
      if (!lock.ok() || !lock->held()) continue;
      fs::remove_all(folder, error);
      fs::remove_all(absl::StrCat(cache_, "/.tmp-", fs::path(folder).filename().string()), error);
      fs::remove(LockPath(folder), error);
    }
  }

  ObjectStore& store_;
  const ObjectUrl& url_;
  const Found& found_;
  const std::string cache_;
  const std::string family_;
  std::string folder_;
};

}  // namespace

absl::StatusOr<std::string> LocalPathIn(ObjectStore& store, const std::string& cache, const ObjectUrl& url) {
  IP2P_ASSIGN_OR_RETURN(const Found found, Find(store, url));
  return Copy(store, url, found, cache, FamilyOf(store, url)).Get();
}

absl::StatusOr<std::string> LocalPath(const std::string& path) {
  if (!IsObjectUrl(path)) return path;
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(path));
  IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
  IP2P_ASSIGN_OR_RETURN(const std::string cache, CacheFolder("models"));
  return LocalPathIn(*store, cache, url);
}

}  // namespace ip2p
