#include "common/object_store/cache_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/storage/io_error.h"

namespace ip2p {

std::string CacheRoot(const EnvironmentLookup& environment) {
  const auto text = [&environment](const char* name) {
    const char* const value = environment(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string root = text("IP2P_CACHE_DIR"); !root.empty()) return root;
  if (const std::string root = text("XDG_CACHE_HOME"); !root.empty()) return root + "/ip2p";
  if (const std::string home = text("HOME"); !home.empty()) return home + "/.cache/ip2p";
  return absl::StrCat("/tmp/ip2p-cache-", ::getuid());
}

absl::StatusOr<std::string> CacheFolder(const std::string& kind) {
  const std::string folder = absl::StrCat(CacheRoot(ProcessEnvironment()), "/", kind);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return folder;
  return IoError(error.value(), absl::StrCat("the cache folder cannot be made (IP2P_CACHE_DIR says where)"));
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<FileLock> FileLock::Open(const std::string& path, Kind kind, bool wait) {
  const int operation = (kind == Kind::kShared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  while (true) {
    FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!lock.held()) return IoError(errno, "a lock of the cache cannot be opened");
    while (::flock(lock.fd_, operation) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return FileLock();
      return IoError(errno, "a lock of the cache cannot be taken");
    }
    // Whoever removed the file in between left us a lock on nothing.
    struct stat here {
    }, there{};
    if (::fstat(lock.fd_, &here) == 0 && ::stat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino) {
      return lock;
    }
  }
}

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, Kind kind) { return Open(path, kind, true); }
absl::StatusOr<FileLock> FileLock::Try(const std::string& path, Kind kind) { return Open(path, kind, false); }

}  // namespace ip2p
