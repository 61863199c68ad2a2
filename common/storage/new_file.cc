#include "common/storage/new_file.h"

#include <fcntl.h>
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

}  // namespace ip2p
