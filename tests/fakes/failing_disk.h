// A disk that fails once: the n-th call of this process that changes a file fails, later ones work again.
//
// The test program that links failing_disk.cc takes the system calls' names; while no FailingDisk lives, they
// do what they always do. One at a time; any thread may call.
#pragma once

namespace ip2p {

class FailingDisk {
 public:
  // From 1. `error` is what errno says. Counted: open with O_CREAT, mkdir, write, pwrite, ftruncate, fsync,
  // fdatasync, rename, renameat2, link.
  FailingDisk(int call, int error);
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  static bool failed();  // whether the call came
};

}  // namespace ip2p
