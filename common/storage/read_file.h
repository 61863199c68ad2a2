// A file of somebody's folder, whole, by read(2): one that changes meanwhile cannot end the process.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

// Regular files only, never blocks; `name` stands in messages. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT
// (a folder, a device, above `max_bytes`: no later try would help), UNAVAILABLE (the disk failed).
absl::StatusOr<std::string> ReadFile(const std::string& path, const std::string& name, size_t max_bytes);

}  // namespace ip2p
