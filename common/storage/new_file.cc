#include "common/storage/new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <span>

#include "absl/strings/str_cat.h"
#include "common/storage/io_error.h"
#include "common/storage/temp_file.h"

namespace ip2p {

absl::Status WriteNewFile(const std::string& path, std::string_view contents) {
  const std::string name = std::filesystem::path(path).filename().string();
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(errno, absl::StrCat(name, " cannot be created"));
  absl::Status status = WriteFully(fd, 0, std::as_bytes(std::span(contents)));
  if (::close(fd) != 0 && status.ok()) status = IoError(errno, absl::StrCat(name, " cannot be written"));
  return status;
}

int RenameNew(const std::string& from, const std::string& to) {
  const int result = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (result == 0 || (errno != EINVAL && errno != ENOSYS)) return result;
  // NFS has no such rename, but links.
  if (::link(from.c_str(), to.c_str()) != 0) return -1;
  ::unlink(from.c_str());
  return 0;
}

}  // namespace ip2p
