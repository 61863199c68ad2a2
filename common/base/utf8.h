// UTF-8, as RFC 3629 defines it.
#pragma once

#include <string_view>

namespace ip2p {

// No overlong forms, no surrogates, nothing above U+10FFFF, no torn sequence.
bool IsValidUtf8(std::string_view text);

}  // namespace ip2p
