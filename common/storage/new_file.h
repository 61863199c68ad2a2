// A file of a folder that is not published yet.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

// Makes the file, which must not be there, and writes all of it; AtomicFolder::Publish syncs it.
// ALREADY_EXISTS, else as IoError. Messages name the file without its folder.
absl::Status WriteNewFile(const std::string& path, std::string_view contents);

}  // namespace ip2p
