#include "common/storage/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/storage/io_error.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const char* what, const std::string& path) {
  const int error = errno;
  return IoError(error, absl::StrCat(fs::path(path).filename().string(), " cannot be ", what));
}

// "out/" and "out" are the same target.
fs::path WithoutTrailingSlash(const std::string& path) {
  fs::path result = fs::path(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A name beside the target that no other process uses: random, because two pods share no process ids.
std::string TemporaryName(const fs::path& target) {
  std::random_device random;
  return (FolderOf(target) /
          absl::StrCat(".tmp-", target.filename().string(), "-", absl::Hex(random()), absl::Hex(random())))
      .string();
}

absl::Status SyncPath(const fs::path& path, int flags) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return Failed("opened", path.string());
  absl::Cleanup closer = [fd] { close(fd); };
  if (fsync(fd) != 0) return Failed("synced", path.string());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  const fs::path target(path);
  if (!target.has_filename())
    return absl::InvalidArgumentError("the output path is a folder; wants a file name");
  std::string temporary = TemporaryName(target);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return Failed("created", path);
  return AtomicFile(fd, std::move(temporary), path);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      temporary_(std::move(other.temporary_)),
      target_(std::move(other.target_)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

absl::Status AtomicFile::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), std::min<size_t>(bytes.size(), size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("written", target_);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Write(std::string_view text) { return Write(std::as_bytes(std::span(text))); }

absl::Status AtomicFile::Publish() {
  if (fsync(fd_) != 0) return Failed("synced", target_);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return Failed("renamed into place", target_);
  // From here on the temporary name is gone, so the destructor must not touch it.
  if (close(std::exchange(fd_, -1)) != 0) return Failed("closed", target_);
  return SyncPath(FolderOf(target_), O_DIRECTORY);
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  IP2P_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  IP2P_RETURN_IF_ERROR(file.Write(contents));
  return file.Publish();
}

absl::StatusOr<AtomicFolder> AtomicFolder::Create(const std::string& path, bool replaces) {
  const fs::path target = WithoutTrailingSlash(path);
  std::error_code error;
  if (!replaces && fs::exists(fs::symlink_status(target, error))) {
    return absl::AlreadyExistsError(absl::StrCat(target.filename().string(), " exists; wants a new folder"));
  }
  std::string temporary = TemporaryName(target);
  if (mkdir(temporary.c_str(), 0777) != 0) return Failed("created", target.string());
  return AtomicFolder(std::move(temporary), target.string());
}

AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : temporary_(std::exchange(other.temporary_, "")), target_(std::move(other.target_)) {}

AtomicFolder::~AtomicFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

absl::Status AtomicFolder::SyncAll() const {
  std::error_code error;
  for (fs::recursive_directory_iterator it(temporary_, error), end; !error && it != end;
       it.increment(error)) {
    IP2P_RETURN_IF_ERROR(SyncPath(it->path(), it->is_directory() ? O_DIRECTORY : 0));
  }
  if (error) return absl::UnavailableError("the output folder cannot be listed");
  return SyncPath(temporary_, O_DIRECTORY);
}

absl::Status AtomicFolder::Publish() {
  IP2P_RETURN_IF_ERROR(SyncAll());
  int result = renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    // NFS has no such rename; its plain one leaves a folder alone that is not empty, and none of ours is.
    result = rename(temporary_.c_str(), target_.c_str());
  }
  if (result != 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)) {
    return absl::AlreadyExistsError(
        absl::StrCat(fs::path(target_).filename().string(), " exists; wants a new folder"));
  }
  if (result != 0) return Failed("renamed into place", target_);
  temporary_.clear();
  return SyncPath(FolderOf(target_), O_DIRECTORY);
}

absl::Status AtomicFolder::Replace() {
  IP2P_RETURN_IF_ERROR(SyncAll());
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
    if (errno == EINVAL || errno == ENOSYS) return ReplaceByTwoRenames();
    return Failed("exchanged", target_);
  }
  return SyncPath(FolderOf(target_), O_DIRECTORY);  // the old one goes with this object
}

absl::Status AtomicFolder::ReplaceByTwoRenames() {
  IP2P_RETURN_IF_ERROR(RestoreReplaced(target_));
  const std::string old = OldNameOf(target_);
  if (rename(target_.c_str(), old.c_str()) != 0) return Failed("renamed", target_);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    const absl::Status fault = Failed("renamed into place", target_);
    // Should this fail as well, RestoreReplaced does it later.
    static_cast<void>(rename(old.c_str(), target_.c_str()) == 0);
    return fault;
  }
  temporary_ = old;  // goes with this object
  return SyncPath(FolderOf(target_), O_DIRECTORY);
}

std::string OldNameOf(const std::string& target) {
  const fs::path path = WithoutTrailingSlash(target);
  return (FolderOf(path) / absl::StrCat(".tmp-", path.filename().string(), "-old")).string();
}

absl::Status RestoreReplaced(const std::string& target) {
  const std::string old = OldNameOf(target);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(old, error))) return absl::OkStatus();
  if (fs::exists(fs::symlink_status(target, error))) {
    fs::remove_all(old, error);
    if (error) return IoError(error.value(), "a folder that was replaced cannot be removed");
    return absl::OkStatus();
  }
  if (rename(old.c_str(), target.c_str()) != 0) return Failed("put back", target);
  return SyncPath(FolderOf(target), O_DIRECTORY);
}

}  // namespace ip2p
