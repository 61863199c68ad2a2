#include "common/storage/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/storage/io_error.h"

namespace ip2p {

absl::StatusOr<std::string> ReadFile(const std::string& path, const std::string& name, size_t max_bytes) {
  // Looked at first, because opening alone may disturb a device.
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0) return IoError(errno, absl::StrCat(name, " cannot be read"));
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is no regular file; wants one"));
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return IoError(errno, absl::StrCat(name, " cannot be read"));
  const absl::Cleanup close = [fd] { ::close(fd); };
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is no regular file; wants one"));
  }
  std::string text;
  if (static_cast<size_t>(facts.st_size) <= max_bytes) text.resize(static_cast<size_t>(facts.st_size) + 1);
  size_t size = 0;
  while (text.size() > size) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError(errno, absl::StrCat(name, " cannot be read"));
    if (got == 0) {
      text.resize(size);
      return text;
    }
    size += static_cast<size_t>(got);
    if (size <= max_bytes && size == text.size()) text.resize(std::min(max_bytes + 1, 2 * size));
  }
  return absl::InvalidArgumentError(absl::StrCat(name, " is too large; wants at most ", max_bytes, " bytes"));
}

}  // namespace ip2p
