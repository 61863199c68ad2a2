#include "common/storage/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

const char* KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "not a regular file";
}

absl::Status OpenError(int error, const std::string& name) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(name, " does not exist"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(name, " may not be read by this process"));
    case ENXIO:  // a socket
    case ENODEV:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(absl::StrCat(name, " is not a regular file"));
    default:
      return absl::ErrnoToStatus(error, absl::StrCat(name, " cannot be opened"));
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path,
                                                                   const std::string& name) {
  // stat first, so that opening has no effect on a device (a tape rewinds, a modem hangs up); O_NONBLOCK and
  // fstat after it, because the name may have changed hands in between.
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return OpenError(errno, name);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is ", KindOf(info.st_mode), "; wants a regular file"));
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return OpenError(errno, name);
  absl::Cleanup closer = [fd] { close(fd); };
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat(name, " cannot be read"));
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is ", KindOf(info.st_mode), "; wants a regular file"));
  }
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat(name, " cannot be mapped"));
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path, const std::string& name, size_t max_bytes) {
  IP2P_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path, name));
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, " is ", bytes.size(), " bytes; wants at most ", max_bytes));
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace ip2p
