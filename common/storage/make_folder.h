// Folders that may be there already. Thread-safe.
#pragma once

#include <filesystem>
#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

// Makes the folder and those above it; one that is there stays as it is. Errors as IoError's: "`name` cannot
// be made".
absl::Status MakeFolder(const std::filesystem::path& path, std::string_view name);

}  // namespace ip2p
