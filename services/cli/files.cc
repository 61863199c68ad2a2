// POSIX calls, each checked.
#include "services/cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/storage/atomic_file.h"

namespace ip2p {
namespace {

constexpr size_t kBlock = 1 << 16;

absl::Status Fault(const std::string& path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, path);
}

absl::Status TooLong(const std::string& what, size_t max_bytes) {
  return absl::InvalidArgumentError(absl::StrCat(what, " is longer; wants at most ", max_bytes, " bytes"));
}

// A terminal, a pipe, /dev/null: written in place, since nothing may be renamed over them.
bool IsDeviceOrPipe(const std::string& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode);
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t max_bytes) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang us
  if (file < 0) return Fault(path);
  const absl::Cleanup close = [file] { ::close(file); };
  struct stat facts;
  if (::fstat(file, &facts) != 0) return Fault(path);
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a file; wants a regular file, or - for a pipe"));
  }
  std::string bytes;
  while (bytes.size() <= max_bytes) {
    const size_t before = bytes.size();
    bytes.resize(before + kBlock);
    const ssize_t got = ::read(file, bytes.data() + before, kBlock);
    bytes.resize(before + static_cast<size_t>(got > 0 ? got : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fault(path);
    if (got == 0) return bytes;
  }
  return TooLong(path, max_bytes);
}

absl::StatusOr<std::string> ReadInput(const std::string& path, size_t max_bytes, std::istream& in) {
  if (path != "-") return ReadWholeFile(path, max_bytes);
  std::string bytes;
  std::string block(kBlock, '\0');
  while (in.read(block.data(), kBlock) || in.gcount() > 0) {
    bytes.append(block.data(), static_cast<size_t>(in.gcount()));
    if (bytes.size() > max_bytes) return TooLong("standard input", max_bytes);
  }
  return bytes;
}

absl::Status WriteOutput(const std::string& path, const std::string& bytes, std::ostream& out) {
  if (path != "-" && !IsDeviceOrPipe(path)) return WriteFileAtomically(path, bytes);
  std::ofstream device;
  if (path != "-") device.open(path, std::ios::binary);
  std::ostream& target = path == "-" ? out : device;
  target.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  target.flush();
  return target ? absl::OkStatus() : absl::UnavailableError("output is closed; wants a reader");
}

}  // namespace ip2p
