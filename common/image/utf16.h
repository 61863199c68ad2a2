// UTF-8 to and from UTF-16, for EXIF comments. What is not valid becomes U+FFFD; nothing fails.
#pragma once

#include <string>
#include <string_view>

namespace ip2p {

std::string Utf8ToUtf16Be(std::string_view utf8);
// A byte order mark wins over `big_endian`. Stops at the first NUL.
std::string Utf16ToUtf8(std::string_view utf16, bool big_endian);

}  // namespace ip2p
