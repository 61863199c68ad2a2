// The folder for local copies of objects, and locks between the processes that share it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/object_store/store_settings.h"

namespace ip2p {

// IP2P_CACHE_DIR, else $XDG_CACHE_HOME/ip2p, else ~/.cache/ip2p, else below /tmp.
std::string CacheRoot(const EnvironmentLookup& environment);
// The folder `kind` in it, made when there is none. Errors: as mkdir(2).
absl::StatusOr<std::string> CacheFolder(const std::string& kind);

// A lock on a file, by processes and not by threads alone: each object is an owner. Gone with its process.
class FileLock {
 public:
  enum class Kind { kShared, kExclusive };

  FileLock() = default;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  // Waits. The file is made when there is none. Errors: as open(2), flock(2).
  static absl::StatusOr<FileLock> Take(const std::string& path, Kind kind);
  // One that is not held when somebody else has the lock.
  static absl::StatusOr<FileLock> Try(const std::string& path, Kind kind);

  bool held() const { return fd_ >= 0; }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  static absl::StatusOr<FileLock> Open(const std::string& path, Kind kind, bool wait);

  int fd_ = -1;
};

}  // namespace ip2p
