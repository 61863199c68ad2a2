// Text from a stranger's file, made fit for a message.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace ip2p {

// In quotes, escaped, at most 100 bytes of it.
inline std::string Quoted(std::string_view text) {
  constexpr size_t kMax = 100;
  return absl::StrCat("\"", absl::CHexEscape(std::string(text.substr(0, kMax))),
                      text.size() > kMax ? "...\"" : "\"");
}

}  // namespace ip2p
