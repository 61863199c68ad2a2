// The file that says until when a host owns a range of a dataset's prompts. For PartitionLock; not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/permutation.h"

namespace ip2p {

struct Lease {
  std::string host;
  int64_t pid = 0;    // for people
  std::string token;  // of one owner, random
  absl::Time expires = absl::InfinitePast();
  friend bool operator==(const Lease&, const Lease&) = default;
};

// ".lease-0000000-0000100".
std::string LeaseName(Share share);
// The share that such a name tells; nothing for any other name.
std::optional<Share> ShareOfLease(const std::string& name);

// JSON of one length, whatever the lease.
std::string LeaseText(const Lease& lease);
// One of nobody that ran out where the text is none.
Lease ParseLease(std::string_view text);

struct FoundLease {
  std::string name;
  Share share;
  Lease lease;
};

// The leases of `dataset` that overlap with `share`. One that cannot be read as a lease counts as one of
// nobody that ran out.
absl::StatusOr<std::vector<FoundLease>> FindLeases(const std::string& dataset, Share share);

// Nothing: gone.
absl::StatusOr<std::optional<Lease>> ReadLease(const std::string& dataset, const std::string& name);
// In place, always of one length: no disk is too full for a renewal.
absl::Status WriteLease(const std::string& dataset, const std::string& name, const Lease& lease);
// A new one, whole at once; false when there is one. `temporary` is a name in the dataset that nobody else
// uses.
absl::StatusOr<bool> CreateLease(const std::string& dataset, const std::string& name, const Lease& lease,
                                 const std::string& temporary);
// Takes `found` away; false when it is not the one that is there any more, which then stays. Of several
// callers one succeeds.
absl::StatusOr<bool> RemoveLease(const std::string& dataset, const FoundLease& found,
                                 const std::string& temporary);

}  // namespace ip2p
