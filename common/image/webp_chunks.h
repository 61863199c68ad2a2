// The RIFF container of a WebP file. Not for callers.
#pragma once

#include <optional>
#include <string_view>

namespace ip2p::internal {

// The container as its header states it, without what follows; nothing when the file is shorter than it
// states.
std::optional<std::string_view> WebpContainer(std::string_view bytes);

// The payload of the first chunk of that name ("EXIF"); nothing when there is none or it reaches past the
// end.
std::optional<std::string_view> FindWebpChunk(std::string_view bytes, std::string_view name);

}  // namespace ip2p::internal
