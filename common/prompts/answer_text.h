// The two texts of an answer, whatever the format they came in. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ip2p {

struct WrittenEdit {
  std::string edit;    // "make it winter"
  std::string output;  // the caption afterwards
  friend bool operator==(const WrittenEdit&, const WrittenEdit&) = default;
};

// Trimmed. Nothing when a text is empty, above 4 KiB, not UTF-8 or holds a control character.
std::optional<WrittenEdit> CleanEdit(std::string_view edit, std::string_view output);

}  // namespace ip2p
