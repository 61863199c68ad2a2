#include "common/dataset/object_lock.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/repeater.h"
#include "common/base/status_macros.h"
#include "common/dataset/lease_file.h"

namespace ip2p {
namespace {

constexpr int kRenewalsPerLease = 3;
constexpr size_t kMaxLeaseBytes = 4096;
constexpr const char* kPrefix = ".lease-";

struct FoundObject {
  Share share;
  Lease lease;
  std::string etag;
};

std::string ThisHost() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

bool SameShare(Share a, Share b) { return a.begin == b.begin && a.end == b.end; }

absl::Status Taken(Share found, Share wanted) {
  if (SameShare(found, wanted)) return absl::AbortedError("another process works on this partition");
  return absl::UnavailableError(
      absl::StrCat("another process works on prompts ", found.begin, "..", found.end - 1,
                   " of this dataset; wants it to finish, or the same number of partitions"));
}

class ObjectLock final : public PartitionLock {
 public:
  ObjectLock(ObjectStore& store, ObjectUrl url, Share share, LockOptions options)
      : store_(store),
        url_(std::move(url)),
        share_(share),
        key_(url_.Child(LeaseName(share))),
        options_(std::move(options)) {
    if (!options_.wait) {
      options_.wait = [](absl::Duration duration) {
        absl::SleepFor(duration);
        return absl::OkStatus();
      };
    }
  }

  ~ObjectLock() override {
    renewer_.reset();
    if (!owned_ || !Held().ok()) return;
    // One that stays runs out by itself.
    const absl::Status gone = store_.Delete(key_);
    if (!gone.ok()) Log(LogLevel::kWarning, "a lease stays until it runs out", {{"status", gone.ToString()}});
  }

  absl::Status Take() {
    IP2P_ASSIGN_OR_RETURN(const std::vector<FoundObject> found, Find());
    PutCondition condition{.absent = true};
    for (const FoundObject& one : found) {
      IP2P_ASSIGN_OR_RETURN(const std::string etag, Outwait(one));
      if (SameShare(one.share, share_) && !etag.empty()) condition = {.etag = etag};
    }
    {
      const absl::MutexLock lock(&mutex_);
      lease_ = {.host = options_.host.empty() ? ThisHost() : options_.host,
                .pid = ::getpid(),
                .token = RandomRequestId(),
                .expires = options_.clock->Now() + options_.lease};
      const absl::StatusOr<std::string> etag = store_.Put(key_, LeaseText(lease_), condition);
      if (absl::IsUnimplemented(etag.status())) {
        Log(LogLevel::kWarning,
            "the store knows no conditional writes: nobody is kept out of this partition");
        return absl::OkStatus();
      }
      if (absl::IsAborted(etag.status())) return Taken(share_, share_);
      if (!etag.ok()) return etag.status();
      etag_ = *etag;
    }
    owned_ = true;
    IP2P_RETURN_IF_ERROR(Yield());
    // A fault of the store is not the end: the next renewal may pass, and a lost lease shows then.
    renewer_.emplace(options_.lease / kRenewalsPerLease, [this] { static_cast<void>(Renew()); });
    return absl::OkStatus();
  }

  absl::Status Held() const override {
    const absl::MutexLock lock(&mutex_);
    return HeldLocked();
  }

  absl::Status Renew() override {
    const absl::MutexLock one(&renewal_);  // Held must not wait for the store
    Lease longer;
    std::string known;
    {
      const absl::MutexLock lock(&mutex_);
      IP2P_RETURN_IF_ERROR(HeldLocked());
      longer = lease_;
      known = etag_;
    }
    if (!owned_) return absl::OkStatus();
    longer.expires = options_.clock->Now() + options_.lease;
    absl::StatusOr<std::string> etag = store_.Put(key_, LeaseText(longer), {.etag = known});
    if (absl::IsAborted(etag.status()) || absl::IsNotFound(etag.status())) {
      // Ours nevertheless, when an earlier renewal was heard whose answer was lost.
      const absl::StatusOr<ObjectBytes> there = store_.Get(key_, kMaxLeaseBytes);
      if (there.ok() && ParseLease(there->bytes).token == longer.token) {
        etag = there->etag;
      } else if (there.ok() || absl::IsNotFound(there.status())) {
        const absl::MutexLock lock(&mutex_);
        lost_ = true;
        return HeldLocked();
      }
    }
    if (!etag.ok()) return etag.status();
    const absl::MutexLock lock(&mutex_);
    lease_ = longer;
    etag_ = *etag;
    return absl::OkStatus();
  }

 private:
  // The leases that overlap with ours.
  absl::StatusOr<std::vector<FoundObject>> Find() const {
    const std::string prefix = url_.prefix();
    const std::string leases = absl::StrCat(prefix, kPrefix);
    IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects,
                          store_.List(url_, leases, [&](const ListedObject& object) {
                            return !object.key.starts_with(leases);
                          }));
    std::vector<FoundObject> found;
    for (const ListedObject& object : objects) {
      const std::optional<Share> share = ShareOfLease(object.key.substr(prefix.size()));
      if (!share.has_value() || share->begin >= share_.end || share_.begin >= share->end) continue;
      const absl::StatusOr<ObjectBytes> bytes = store_.Get({url_.bucket, object.key}, kMaxLeaseBytes);
      if (absl::IsNotFound(bytes.status())) continue;
      if (!bytes.ok()) return bytes.status();
      found.push_back({*share, ParseLease(bytes->bytes), bytes->etag});
    }
    return found;
  }

  // Until the lease that was found has run out; the ETag that it has then, none when it is gone.
  absl::StatusOr<std::string> Outwait(const FoundObject& found) const {
    const absl::Duration left = found.lease.expires - options_.clock->Now();
    if (left <= absl::ZeroDuration()) return found.etag;
    // One lease is the most that a living owner leaves it unrenewed, whatever its clock says.
    IP2P_RETURN_IF_ERROR(options_.wait(std::min(left, options_.lease)));
    const absl::StatusOr<ObjectBytes> now = store_.Get(url_.Child(LeaseName(found.share)), kMaxLeaseBytes);
    if (absl::IsNotFound(now.status())) return "";
    if (!now.ok()) return now.status();
    if (ParseLease(now->bytes) != found.lease) return Taken(found.share, share_);
    return now->etag;
  }

  // Two who started at once on overlapping shares find each other here.
  absl::Status Yield() const {
    IP2P_ASSIGN_OR_RETURN(const std::vector<FoundObject> found, Find());
    for (const FoundObject& one : found) {
      if (!SameShare(one.share, share_) && one.lease.expires > options_.clock->Now()) {
        return Taken(one.share, share_);
      }
    }
    return absl::OkStatus();
  }

  absl::Status HeldLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lost_ ? absl::AbortedError("another host took this partition over") : absl::OkStatus();
  }

  ObjectStore& store_;
  const ObjectUrl url_;
  const Share share_;
  const ObjectUrl key_;
  LockOptions options_;
  bool owned_ = false;  // set before the renewer starts
  std::optional<Repeater> renewer_;

  absl::Mutex renewal_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  Lease lease_ ABSL_GUARDED_BY(mutex_);
  std::string etag_ ABSL_GUARDED_BY(mutex_);
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartitionLock>> AcquireObjectLock(ObjectStore& store, const ObjectUrl& url,
                                                                 Share share, const LockOptions& options) {
  if (share.begin >= share.end) return PartitionLock::OfNoPrompts();
  auto lock = std::make_unique<ObjectLock>(store, url, share, options);
  IP2P_RETURN_IF_ERROR(lock->Take());
  return lock;
}

}  // namespace ip2p
