// The models that ship with the programs (deploy/models/shapes), for where none is named. Any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

// The folder of a part: "edit", "text-to-image" or "clip". NOT_FOUND where it was not installed, as in the
// container images; the message names no path.
absl::StatusOr<std::string> FindMiniature(const std::string& part);

// For people, after "no model is named: ".
inline constexpr char kMiniatureNote[] = "taking the miniature, which knows coloured shapes at 128 px";

}  // namespace ip2p
