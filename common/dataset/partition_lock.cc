#include "common/dataset/partition_lock.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/random.h"
#include "common/base/repeater.h"
#include "common/base/status_macros.h"
#include "common/dataset/lease_file.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

constexpr int kRenewalsPerLease = 3;
constexpr int kLockTries = 10;  // while the lock that is in the way is gone when looked at

// Containers of one machine have names of their own, yet one kernel, whose locks see them all.
std::string ThisHost() {
  const absl::StatusOr<std::string> boot =
      ReadFile("/proc/sys/kernel/random/boot_id", "the boot id", /*max_bytes=*/1 << 20);
  if (boot.ok() && !boot->empty()) return std::string(absl::StripAsciiWhitespace(*boot));
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

absl::Status Taken() { return absl::AbortedError("another process works on this partition"); }

absl::Status TakenOther(Share other) {
  return absl::UnavailableError(
      absl::StrCat("another process works on prompts ", other.begin, "..", other.end - 1,
                   " of this dataset; wants it to finish, or the same number of partitions"));
}

struct flock RangeOf(Share share, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = share.begin;
  range.l_len = std::min(share.end, kAllPrompts.end) - share.begin;
  return range;
}

int Fcntl(int fd, int command, struct flock* range) { return ::fcntl(fd, command, range); }

// What file systems without locks say (NFS without its lock service, some FUSE and object stores).
bool KnowsNoLocks(int error) {
  return error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

// Locks the bytes of `share` for as long as `fd` is open; false where the file system has no locks.
absl::StatusOr<bool> LockRange(int fd, Share share, const LockCall& call) {
  for (int tries = 0; tries < kLockTries; ++tries) {
    struct flock range = RangeOf(share, F_WRLCK);
    if (call(fd, F_OFD_SETLK, &range) == 0) return true;
    if (KnowsNoLocks(errno)) return false;
    if (errno != EAGAIN && errno != EACCES) return IoError(errno, "the dataset's lock cannot be taken");
    struct flock other = RangeOf(share, F_WRLCK);
    if (call(fd, F_OFD_GETLK, &other) != 0) return IoError(errno, "the dataset's lock cannot be read");
    if (other.l_type == F_UNLCK) continue;  // given back in between
    const Share found{other.l_start, other.l_start + other.l_len};
    if (found.begin == share.begin && found.end == share.end) return Taken();
    return TakenOther(found);
  }
  return absl::UnavailableError("the dataset's lock changes hands all the time; wants another try");
}

class HeldPartition final : public PartitionLock {
 public:
  HeldPartition(std::string dataset, Share share, LockOptions options)
      : dataset_(std::move(dataset)), share_(share), name_(LeaseName(share)), options_(std::move(options)) {
    if (options_.host.empty()) options_.host = ThisHost();
    if (!options_.wait) {
      options_.wait = [](absl::Duration duration) {
        absl::SleepFor(duration);
        return absl::OkStatus();
      };
    }
    if (!options_.lock_call) options_.lock_call = Fcntl;
  }

  ~HeldPartition() override {
    renewer_.reset();
    if (owned_ && Held().ok()) ::unlink(absl::StrCat(dataset_, "/", name_).c_str());
    if (fd_ >= 0) ::close(fd_);  // and with it the lock
  }

  absl::Status Take() {
    fd_ = ::open(absl::StrCat(dataset_, "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) return IoError(errno, "the dataset's lock cannot be opened");
    IP2P_ASSIGN_OR_RETURN(locked_, LockRange(fd_, share_, options_.lock_call));
    IP2P_ASSIGN_OR_RETURN(const std::vector<FoundLease> leases, FindLeases(dataset_, share_));
    const std::string token = RandomRequestId();
    // Named as this partition's temporary folders are, so that its next start removes it as well.
    const std::string temporary = absl::StrFormat(".tmp-%07d-lease-%s", share_.begin, token);
    for (const FoundLease& found : leases) IP2P_RETURN_IF_ERROR(Outwait(found, temporary));
    {
      const absl::MutexLock lock(&mutex_);
      lease_ = {.host = options_.host, .pid = ::getpid(), .token = token};
      lease_.expires = options_.clock->Now() + options_.lease;
      IP2P_ASSIGN_OR_RETURN(owned_, CreateLease(dataset_, name_, lease_, temporary));
    }
    if (!owned_) return Taken();
    IP2P_RETURN_IF_ERROR(Yield());
    // A fault of the disk is not the end: the next renewal may pass, and a lost lease shows then.
    renewer_.emplace(options_.lease / kRenewalsPerLease, [this] { static_cast<void>(Renew()); });
    return absl::OkStatus();
  }

  absl::Status Held() const override {
    const absl::MutexLock lock(&mutex_);
    return HeldLocked();
  }

  absl::Status Renew() override {
    const absl::MutexLock lock(&mutex_);
    IP2P_RETURN_IF_ERROR(HeldLocked());
    const absl::StatusOr<std::optional<Lease>> found = ReadLease(dataset_, name_);
    if (!found.ok()) return found.status();
    if (!found->has_value() || (*found)->token != lease_.token) {
      lost_ = true;
      return HeldLocked();
    }
    return Extend();
  }

 private:
  // Whether somebody may be at work for whom the lease speaks alone: our locks would not show him.
  bool MayLive(const Lease& lease) const { return !locked_ || lease.host != options_.host; }

  // Until the lease that was found is gone.
  absl::Status Outwait(const FoundLease& found, const std::string& temporary) {
    const absl::Duration left = found.lease.expires - options_.clock->Now();
    if (MayLive(found.lease) && left > absl::ZeroDuration()) {
      // One lease is the most that a living owner leaves it unrenewed, whatever its clock says.
      IP2P_RETURN_IF_ERROR(options_.wait(std::min(left, options_.lease)));
      IP2P_ASSIGN_OR_RETURN(const std::optional<Lease> now, ReadLease(dataset_, found.name));
      if (now.has_value() && *now != found.lease) {
        const bool same = found.share.begin == share_.begin && found.share.end == share_.end;
        return same ? Taken() : TakenOther(found.share);
      }
    }
    // Should another one have been faster, his lease is in the way of ours.
    return RemoveLease(dataset_, found, temporary).status();
  }

  // Two who started at once on overlapping shares, without locks between them, find each other here.
  absl::Status Yield() const {
    IP2P_ASSIGN_OR_RETURN(const std::vector<FoundLease> leases, FindLeases(dataset_, share_));
    for (const FoundLease& found : leases) {
      if (found.name == name_ || !MayLive(found.lease)) continue;
      if (found.lease.expires > options_.clock->Now()) return TakenOther(found.share);
    }
    return absl::OkStatus();
  }

  absl::Status HeldLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lost_ ? absl::AbortedError("another host took this partition over") : absl::OkStatus();
  }

  absl::Status Extend() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    lease_.expires = options_.clock->Now() + options_.lease;
    return WriteLease(dataset_, name_, lease_);
  }

  const std::string dataset_;
  const Share share_;
  const std::string name_;
  LockOptions options_;
  int fd_ = -1;
  bool locked_ = false;  // else the lease alone keeps others out
  bool owned_ = false;
  std::optional<Repeater> renewer_;

  mutable absl::Mutex mutex_;
  Lease lease_ ABSL_GUARDED_BY(mutex_);
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
};

// Of a partition without prompts: nobody else's.
class NoPartition final : public PartitionLock {
 public:
  absl::Status Held() const override { return absl::OkStatus(); }
  absl::Status Renew() override { return absl::OkStatus(); }
};

}  // namespace

absl::StatusOr<int> LockWhole(const std::string& dataset, const LockCall& lock_call) {
  const int fd = ::open(absl::StrCat(dataset, "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(errno, "the dataset's lock cannot be opened");
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = kAllPrompts.end;
  range.l_len = 1;
  while ((lock_call ? lock_call : LockCall(Fcntl))(fd, F_OFD_SETLKW, &range) != 0) {
    if (errno == EINTR) continue;
    if (KnowsNoLocks(errno)) break;
    const absl::Status fault = IoError(errno, "the dataset's lock cannot be taken");
    ::close(fd);
    return fault;
  }
  return fd;
}

std::unique_ptr<PartitionLock> PartitionLock::OfNoPrompts() { return std::make_unique<NoPartition>(); }

absl::StatusOr<std::unique_ptr<PartitionLock>> PartitionLock::Acquire(const std::string& dataset, Share share,
                                                                      const LockOptions& options) {
  if (share.begin >= share.end) return OfNoPrompts();
  auto lock = std::make_unique<HeldPartition>(dataset, share, options);
  IP2P_RETURN_IF_ERROR(lock->Take());
  return lock;
}

}  // namespace ip2p
