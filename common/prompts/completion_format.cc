#include "common/prompts/completion_format.h"

namespace ip2p {

std::string CompletionPrompt(std::string_view caption) {
  std::string prompt(caption);
  prompt += kPromptEnd;
  return prompt;
}

std::string CompletionText(std::string_view edit, std::string_view output) {
  std::string text(edit);
  text += kPartsDelimiter;
  text += output;
  text += kCompletionEnd;
  return text;
}

std::optional<WrittenEdit> ParseCompletion(std::string_view text) {
  text = text.substr(0, text.find(kCompletionEnd));
  const size_t delimiter = text.find(kPartsDelimiter);
  if (delimiter == std::string_view::npos) return std::nullopt;
  const std::string_view output = text.substr(delimiter + kPartsDelimiter.size());
  // A third part would be a line of its own, which CleanEdit refuses.
  return CleanEdit(text.substr(0, delimiter), output);
}

}  // namespace ip2p
