// Reads multipart/form-data (RFC 7578), strictly and without recursion. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p::gateway {

inline constexpr size_t kMaxParts = 40;

struct FormPart {
  std::string name;
  bool is_file = false;    // it had a filename, which is not kept
  std::string_view bytes;  // of the body
};

// The parts, in order; the body must outlive them. INVALID_ARGUMENT: no boundary, a torn or nested part, a
// part without a name, a name twice, over kMaxParts parts, or a part's headers over 4 KiB.
absl::StatusOr<std::vector<FormPart>> ParseMultipart(std::string_view content_type, std::string_view body);

}  // namespace ip2p::gateway
