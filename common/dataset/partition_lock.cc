#include "common/dataset/partition_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/dataset/lease_file.h"
#include "common/storage/io_error.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

constexpr int kRenewalsPerLease = 3;

// Containers of one machine have names of their own, yet one kernel, whose locks see them all.
std::string ThisHost() {
  const absl::StatusOr<std::string> boot =
      ReadTextFile("/proc/sys/kernel/random/boot_id", "the boot id", /*max_bytes=*/1 << 20);
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

// Locks the bytes of `share` for as long as `fd` is open.
absl::Status LockRange(int fd, Share share) {
  struct flock range = RangeOf(share, F_WRLCK);
  if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return absl::OkStatus();
  if (errno != EAGAIN && errno != EACCES) return IoError(errno, "the dataset's lock cannot be taken");
  struct flock other = RangeOf(share, F_WRLCK);
  if (::fcntl(fd, F_OFD_GETLK, &other) != 0) return IoError(errno, "the dataset's lock cannot be read");
  const Share found{other.l_start, other.l_start + other.l_len};
  // Free again by now: it was held a moment ago all the same.
  if (other.l_type == F_UNLCK || (found.begin == share.begin && found.end == share.end)) return Taken();
  return TakenOther(found);
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
  }

  ~HeldPartition() override {
    if (renewer_.joinable()) {
      {
        const absl::MutexLock lock(&mutex_);
        stopping_ = true;
      }
      renewer_.join();
    }
    if (owned_ && Held().ok()) ::unlink(absl::StrCat(dataset_, "/", name_).c_str());
    if (fd_ >= 0) ::close(fd_);  // and with it the lock
  }

  absl::Status Take() {
    fd_ = ::open(absl::StrCat(dataset_, "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) return IoError(errno, "the dataset's lock cannot be opened");
    IP2P_RETURN_IF_ERROR(LockRange(fd_, share_));
    IP2P_ASSIGN_OR_RETURN(const std::vector<FoundLease> leases, FindLeases(dataset_, share_));
    for (const FoundLease& found : leases) IP2P_RETURN_IF_ERROR(Outwait(found));
    {
      const absl::MutexLock lock(&mutex_);
      lease_ = {.host = options_.host, .pid = ::getpid(), .token = RandomRequestId()};
      owned_ = true;
      IP2P_RETURN_IF_ERROR(Extend());
    }
    renewer_ = std::thread([this] { RenewUntilStopped(); });
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
  // Until the lease that was found is gone. Ours to remove: nobody who shares our locks holds its range.
  absl::Status Outwait(const FoundLease& found) {
    const absl::Duration left = found.lease.expires - options_.clock->Now();
    if (found.lease.host != options_.host && left > absl::ZeroDuration()) {
      // One lease is the most that a living owner leaves it unrenewed, whatever its clock says.
      IP2P_RETURN_IF_ERROR(options_.wait(std::min(left, options_.lease)));
      IP2P_ASSIGN_OR_RETURN(const std::optional<Lease> now, ReadLease(dataset_, found.name));
      if (now.has_value() && *now != found.lease) {
        const bool same = found.share.begin == share_.begin && found.share.end == share_.end;
        return same ? Taken() : TakenOther(found.share);
      }
    }
    if (::unlink(absl::StrCat(dataset_, "/", found.name).c_str()) != 0 && errno != ENOENT) {
      return IoError(errno, "a lease that ran out cannot be removed");
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

  void RenewUntilStopped() {
    while (true) {
      {
        const absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.lease / kRenewalsPerLease)) return;
      }
      // A fault of the disk is not the end: the next renewal may pass, and a lost lease shows then.
      static_cast<void>(Renew());
    }
  }

  const std::string dataset_;
  const Share share_;
  const std::string name_;
  LockOptions options_;
  int fd_ = -1;
  bool owned_ = false;
  std::thread renewer_;

  mutable absl::Mutex mutex_;
  Lease lease_ ABSL_GUARDED_BY(mutex_);
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

// Of a partition without prompts: nobody else's.
class NoPartition final : public PartitionLock {
 public:
  absl::Status Held() const override { return absl::OkStatus(); }
  absl::Status Renew() override { return absl::OkStatus(); }
};

}  // namespace

absl::StatusOr<int> LockWhole(const std::string& dataset) {
  const int fd = ::open(absl::StrCat(dataset, "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(errno, "the dataset's lock cannot be opened");
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = kAllPrompts.end;
  range.l_len = 1;
  while (::fcntl(fd, F_OFD_SETLKW, &range) != 0) {
    if (errno == EINTR) continue;
    const absl::Status fault = IoError(errno, "the dataset's lock cannot be taken");
    ::close(fd);
    return fault;
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<PartitionLock>> PartitionLock::Acquire(const std::string& dataset, Share share,
                                                                      const LockOptions& options) {
  if (share.begin >= share.end) return std::make_unique<NoPartition>();
  auto lock = std::make_unique<HeldPartition>(dataset, share, options);
  IP2P_RETURN_IF_ERROR(lock->Take());
  return lock;
}

}  // namespace ip2p
