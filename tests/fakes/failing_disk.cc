#include "tests/fakes/failing_disk.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace ip2p {
namespace {

std::atomic<int> calls_left{0};  // 0: none fails
std::atomic<int> failure{0};
std::atomic<bool> has_failed{false};
std::atomic<bool> plain_renames{false};
std::atomic<size_t> most_bytes{SIZE_MAX};
constexpr int kKilled = 137;

bool FailsNow() {
  int left = calls_left.load();
  while (left > 0 && !calls_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left != 1) return false;
  if (failure == FailingDisk::kKill) ::_exit(kKilled);
  has_failed = true;
  errno = failure;
  return true;
}

}  // namespace

FailingDisk::FailingDisk(int call, int error) {
  failure = error;
  has_failed = false;
  calls_left = call;
}

FailingDisk::~FailingDisk() { calls_left = 0; }

bool FailingDisk::failed() { return has_failed; }

PlainRenames::PlainRenames() { plain_renames = true; }
PlainRenames::~PlainRenames() { plain_renames = false; }

ShortWrites::ShortWrites(size_t most) { most_bytes = most; }
ShortWrites::~ShortWrites() { most_bytes = SIZE_MAX; }

bool KilledAtCall(int call, const std::function<void()>& run) {
  const pid_t child = ::fork();
  if (child == 0) {
    const FailingDisk disk(call, FailingDisk::kKill);
    run();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == kKilled;
}

}  // namespace ip2p

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (ip2p::FailsNow()) return -1;
  }
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int mkdir(const char* path, mode_t mode) noexcept {
  return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
ssize_t write(int fd, const void* bytes, size_t size) {
  return ip2p::FailsNow() ? -1 : syscall(SYS_write, fd, bytes, std::min(size, ip2p::most_bytes.load()));
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return ip2p::FailsNow() ? -1
                          : syscall(SYS_pwrite64, fd, bytes, std::min(size, ip2p::most_bytes.load()), offset);
}
int ftruncate(int fd, off_t size) noexcept {
  return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int fsync(int fd) { return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd)); }
int rename(const char* from, const char* to) noexcept {
  return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (ip2p::FailsNow()) return -1;
  if (flags != 0 && ip2p::plain_renames) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}
int link(const char* from, const char* to) noexcept {
  return ip2p::FailsNow() ? -1 : static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
}
