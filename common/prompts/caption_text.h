// What a caption may be, and when two are the same. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

inline constexpr size_t kMaxCaptionBytes = 4096;
inline constexpr size_t kMaxUrlBytes = 2048;

// INVALID_ARGUMENT: empty, too long, NUL, not UTF-8.
absl::Status CheckCaption(std::string_view text, std::string_view url);

// Captions that differ only in case, in how a character is written (NFKC), in the amount of white space or in
// a final full stop are the same. `text` is valid UTF-8.
std::string NormalisedCaption(std::string_view text);

}  // namespace ip2p
