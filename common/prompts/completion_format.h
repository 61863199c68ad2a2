// The reference's format for a fine-tuned completion model:
//
//   prompt      CAPTION \n##\n
//   completion  EDIT \n%%\n OUTPUT \nEND
//
// Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/prompts/answer_text.h"

namespace ip2p {

inline constexpr std::string_view kPromptEnd = "\n##\n";
inline constexpr std::string_view kPartsDelimiter = "\n%%\n";
inline constexpr std::string_view kCompletionEnd = "\nEND";  // the stop sequence, too

std::string CompletionPrompt(std::string_view caption);
std::string CompletionText(std::string_view edit, std::string_view output);

// What a model answered, with or without the end (servers cut the stop sequence off). Nothing unless it has
// exactly two good parts.
std::optional<WrittenEdit> ParseCompletion(std::string_view text);

}  // namespace ip2p
