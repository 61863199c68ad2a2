// What a failed system call on a file becomes. Pure.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

// As absl::ErrnoToStatus, but faults of the disk are such that trying again later may help:
// RESOURCE_EXHAUSTED when it is full, UNAVAILABLE when it fails or is read-only.
absl::Status IoError(int error, std::string_view message);

}  // namespace ip2p
