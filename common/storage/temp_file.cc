#include "common/storage/temp_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/status_macros.h"
#include "common/storage/io_error.h"

namespace ip2p {
namespace {

constexpr size_t kGather = 1 << 16;

// Some file systems (overlays, network disks) know no O_TMPFILE.
int OpenUnnamed(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  std::string name = folder + "/.tmp-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

absl::Status ReadFully(int fd, int64_t offset, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError(errno, "a file cannot be read");
    if (got == 0) return absl::OutOfRangeError("a file is shorter than it was");
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return absl::OkStatus();
}

absl::Status WriteFully(int fd, int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return IoError(errno, "a file cannot be written");
    bytes = bytes.subspan(static_cast<size_t>(put));
    offset += put;
  }
  return absl::OkStatus();
}

absl::StatusOr<TempFile> TempFile::Create(const std::string& folder) {
  const int fd = OpenUnnamed(folder);
  if (fd < 0) return IoError(errno, "a temporary file cannot be made");
  return TempFile(fd);
}

TempFile::TempFile(TempFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_), gathered_(std::move(other.gathered_)) {}

TempFile& TempFile::operator=(TempFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(gathered_, other.gathered_);
  return *this;
}

TempFile::~TempFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status TempFile::Append(std::string_view bytes) {
  gathered_.append(bytes);
  size_ += static_cast<int64_t>(bytes.size());
  return gathered_.size() < kGather ? absl::OkStatus() : Flush();
}

absl::Status TempFile::Flush() {
  const int64_t offset = size_ - static_cast<int64_t>(gathered_.size());
  IP2P_RETURN_IF_ERROR(WriteFully(fd_, offset, std::as_bytes(std::span(gathered_))));
  gathered_.clear();
  return absl::OkStatus();
}

absl::Status TempFile::ReadAt(int64_t offset, std::span<std::byte> bytes) const {
  return ReadFully(fd_, offset, bytes);
}

absl::Status TempFile::WriteAt(int64_t offset, std::span<const std::byte> bytes) {
  return WriteFully(fd_, offset, bytes);
}

}  // namespace ip2p
