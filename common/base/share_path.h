// Files that are installed with the programs. Any thread.
#pragma once

#include <string>

namespace ip2p {

// `name` in the folder share/ beside bin/, which is where a program lies; programs in bin/tests find it too.
// The path is told whether or not something is there.
std::string SharePath(const std::string& name);

}  // namespace ip2p
