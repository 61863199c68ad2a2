// What a chat model is told, and the strict JSON that it answers: {"edit": "...", "output": "..."}. Shared by
// generation and by the training files of fine-tuning, which must agree. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/json.h"
#include "common/prompts/answer_text.h"

namespace ip2p {

// The messages before the answer: the task, then the caption.
nlohmann::json ChatMessages(std::string_view caption);
// The answer as a model is to write it.
std::string ChatAnswer(std::string_view edit, std::string_view output);
// The value of "response_format": a strict JSON schema.
const nlohmann::json& ChatResponseFormat();

// Nothing unless the text is an object with two good texts. Servers without schemas may fence it in ```json.
std::optional<WrittenEdit> ParseChatAnswer(std::string_view text);

}  // namespace ip2p
