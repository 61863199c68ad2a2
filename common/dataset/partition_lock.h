// One owner per partition of a dataset.
//
// Where the kernel's locks reach (one host, and any file system that carries them between hosts) they decide:
// the partition's range of bytes of the file `.lock` is locked, so overlapping partitions exclude one another
// whatever --n-partitions says, and a killed owner frees its range at once. Between hosts without such locks,
// and on a file system that has none, a lease does: a file `.lease-BEGIN-END` whose expiry the owner rewrites
// while it lives. Whoever finds the unexpired lease of an owner whom the locks would not show waits until it
// was renewed (somebody works) or ran out (take over). Of several who take over, one gets the file. Clocks of
// hosts must agree to well within a lease. The lease is renewed by a thread of the lock's own.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/permutation.h"

namespace ip2p {

// All prompts that a dataset can have.
inline constexpr Share kAllPrompts{0, 1'000'000'000'000};

using LockCall = std::function<int(int fd, int command, struct flock* range)>;

struct LockOptions {
  std::string host;  // whoever shares a kernel; empty: this machine since its last boot
  absl::Duration lease = absl::Seconds(30);
  const Clock* clock = Clock::Real();
  // Waits so long for another host's lease; an error gives up and is returned. Null: sleeps.
  std::function<absl::Status(absl::Duration)> wait;
  LockCall lock_call;  // null: fcntl(2)
};

// Locks a byte of `.lock` that is no prompt's, for what concerns the dataset as a whole and takes seconds;
// waits for it. Closing the descriptor gives it back. Where the file system has no locks, nobody is kept out:
// what is written under it is published whole, and the last one stays.
absl::StatusOr<int> LockWhole(const std::string& dataset, const LockCall& lock_call = nullptr);

class PartitionLock {
 public:
  // Prompts share.begin..share.end-1 of `dataset`, which exists. ABORTED when another process works on this
  // very share; UNAVAILABLE when one works on an overlapping other share (another --n-partitions), later it
  // may not. Errors else: of the disk.
  static absl::StatusOr<std::unique_ptr<PartitionLock>> Acquire(const std::string& dataset, Share share,
                                                                const LockOptions& options);
  // Of a partition without prompts: nobody else's.
  static std::unique_ptr<PartitionLock> OfNoPrompts();
  virtual ~PartitionLock() = default;  // gives the partition back and removes the file

  // OK while this process owns the partition; ABORTED once another host took it over, because the lease could
  // not be renewed in time. Any thread; ask before publishing.
  virtual absl::Status Held() const = 0;
  virtual absl::Status Renew() = 0;  // at once; its thread does so three times a lease

  // What a failed write means: ABORTED where the partition was lost, since its new owner removes what the old
  // one was writing; else `fault`.
  absl::Status Explain(const absl::Status& fault) {
    absl::Status lost = fault.ok() ? absl::OkStatus() : Renew();
    return absl::IsAborted(lost) ? lost : fault;
  }
};

}  // namespace ip2p
