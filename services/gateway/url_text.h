// Percent-encoding. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ip2p::gateway {

// Nothing when an escape is torn, or the result holds NUL or is not UTF-8.
std::optional<std::string> PercentDecode(std::string_view text);

// "/api/v1/models" -> {"api", "v1", "models"}, each decoded. Nothing for a path that doesn't start with "/",
// has a bad escape, an empty part before its last one, or a part that is "." or ".." or holds a "/".
std::optional<std::vector<std::string>> SplitPath(std::string_view path);

}  // namespace ip2p::gateway
