// What CLIP's tokenizer does to text before byte-pair encoding: Unicode NFC, lower case, split into words. No
// torch, no state, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ip2p {

// The words of `text` (UTF-8; faulty bytes count as U+FFFD) in order: contractions, runs of letters, single
// digits, runs of other characters; white space only separates. Case is folded per character, as the
// reference does.
std::vector<std::string> SplitWords(std::string_view text);

}  // namespace ip2p
