// Whole files in and out; "-" is standard input or output. Local paths may stand in messages: the reader is
// the user.
#pragma once

#include <istream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/cli/console.h"

namespace ip2p {

// Regular files only. Errors: NOT_FOUND, INVALID_ARGUMENT (a folder, a device, over `max_bytes`).
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t max_bytes);

// A file, or with "-" all of `in`.
absl::StatusOr<std::string> ReadInput(const std::string& path, size_t max_bytes, std::istream& in);

// Published whole (common/storage); "-" goes to `out`; a device or pipe is written in place. Errors:
// NOT_FOUND (no such folder), PERMISSION_DENIED, UNAVAILABLE (closed), those of AtomicFile.
absl::Status WriteOutput(const std::string& path, const std::string& bytes, std::ostream& out);

}  // namespace ip2p
