// A curve as one line of small bars: "▁▂▃▅▇". Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ip2p {

// The newest `width` values from the lowest bar to the highest; what is not finite is a blank. With `unicode`
// eight heights as block elements in UTF-8, else four in ASCII.
std::string Sparkline(const std::vector<double>& values, size_t width, bool unicode);

// Columns that a text of one-column characters in UTF-8 takes.
size_t DisplayWidth(std::string_view text);

}  // namespace ip2p
