// Texts of bounded length.
#pragma once

#include <cstddef>
#include <string>

namespace ip2p::training_coordinator {

// At most `bytes` of valid UTF-8, no character torn.
inline std::string CutText(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace ip2p::training_coordinator
