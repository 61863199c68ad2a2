// Names of the files that an edit writes.
#pragma once

#include <string>

namespace ip2p {

// One picture: the path itself. Several: -0, -1, ... before the extension: "a/out.png" -> "a/out-1.png".
std::string OutputPath(const std::string& path, int index, int count);

// "DIR/preview-0-025.png" for output 0 after step 25 of at most 999; sorts by step.
std::string PreviewPath(const std::string& folder, int output, int step);

}  // namespace ip2p
