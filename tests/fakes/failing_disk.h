// A disk that fails once: the n-th call of this process that changes a file fails, later ones work again.
// Also a file system that cannot do all, and one that writes in small pieces.
//
// The test program that links failing_disk.cc takes the system calls' names; while none of these lives, they
// do what they always do. One of a kind at a time; any thread may call.
#pragma once

#include <cstddef>
#include <functional>

namespace ip2p {

class FailingDisk {
 public:
  static constexpr int kKill = -1;  // in the place of an error: the process ends there, as by kill -9

  // From 1. `error` is what errno says. Counted: open with O_CREAT, mkdir, write, pwrite, ftruncate, fsync,
  // fdatasync, rename, renameat2, link.
  FailingDisk(int call, int error);
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  static bool failed();  // whether the call came
};

// As NFS: no rename with flags.
class PlainRenames {
 public:
  PlainRenames();
  ~PlainRenames();
  PlainRenames(const PlainRenames&) = delete;
  PlainRenames& operator=(const PlainRenames&) = delete;
};

// write and pwrite take so many bytes at most, as they may.
class ShortWrites {
 public:
  explicit ShortWrites(size_t most);
  ~ShortWrites();
  ShortWrites(const ShortWrites&) = delete;
  ShortWrites& operator=(const ShortWrites&) = delete;
};

// Runs `run` in a child process that is killed at its n-th call to the disk; false when it ended before. The
// caller has no other threads.
bool KilledAtCall(int call, const std::function<void()>& run);

}  // namespace ip2p
