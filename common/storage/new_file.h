// Files that must not be there yet.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

// Makes the file, which must not be there, and writes all of it; AtomicFolder::Publish syncs it.
// ALREADY_EXISTS, else as IoError. Messages name the file without its folder.
absl::Status WriteNewFile(const std::string& path, std::string_view contents);

// The whole file `from` under the name `to`, unless there is one. As rename(2): 0, or -1 and errno, EEXIST
// when there is. Of several callers one succeeds, on file systems of several hosts (NFS) as well.
int RenameNew(const std::string& from, const std::string& to);

}  // namespace ip2p
