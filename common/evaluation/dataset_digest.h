// Which dataset an evaluation is of: the digest of its index.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

// SHA-256, hexadecimal, of seeds.json, or of a pack's index.json, which holds the digests of its shards. A
// picture that was changed in its place does not show. Errors: those of ReadFile.
absl::StatusOr<std::string> DatasetDigest(const std::string& dataset);

}  // namespace ip2p
