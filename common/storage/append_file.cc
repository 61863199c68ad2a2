#include "common/storage/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/storage/io_error.h"
#include "common/storage/temp_file.h"

namespace ip2p {

absl::Status AppendFile::Fault(const char* what) const {
  const int error = errno;
  return IoError(error, absl::StrCat(name_, " cannot be ", what));
}

absl::StatusOr<AppendFile> AppendFile::Open(const std::string& path, const std::string& name,
                                            bool exclusive) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  AppendFile file(fd, name, 0);
  if (fd < 0) return file.Fault("opened");
  struct stat facts;
  if (::fstat(fd, &facts) != 0) return file.Fault("opened");
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is no regular file; wants one"));
  }
  if (exclusive && ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file.Fault("locked");
    return absl::AbortedError(absl::StrCat(name, " is in use by another process"));
  }
  if (::fstat(fd, &facts) != 0) return file.Fault("opened");  // it may have grown before the lock
  file.size_ = facts.st_size;
  return file;
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)), size_(other.size_) {}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status AppendFile::Append(std::string_view piece) {
  const absl::Status written = WriteFully(fd_, size_, std::as_bytes(std::span(piece)));
  if (written.ok()) {
    size_ += static_cast<int64_t>(piece.size());
    return written;
  }
  const absl::Status fault = Fault("written");
  // Should this fail too, the torn piece is cut by whoever reads the file next.
  static_cast<void>(::ftruncate(fd_, size_) == 0);
  return fault;
}

absl::Status AppendFile::Truncate(int64_t size) {
  if (::ftruncate(fd_, size) != 0) return Fault("cut");
  size_ = size;
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() { return ::fdatasync(fd_) == 0 ? absl::OkStatus() : Fault("synced"); }

}  // namespace ip2p
