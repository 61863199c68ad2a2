// Answers of the chat, completion and moderation endpoints, read without trust. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "common/base/json.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

struct TokenCount {
  int64_t prompt = 0;
  int64_t completion = 0;
};

// The answer's "usage"; nothing when it is missing or absurd (negative, above 10^9).
std::optional<TokenCount> ReadTokenCount(const nlohmann::json& answer);

// kAnswered, kMalformed or kRefused; usage and status are the caller's. A finish_reason of "length" is
// malformed, of "content_filter" refused, like a refusal in place of content.
Attempt ReadChatReply(const nlohmann::json& answer);
Attempt ReadCompletionReply(const nlohmann::json& answer);

// Whether any of `texts` results is flagged; nothing when the answer doesn't have as many.
std::optional<bool> ReadModerationReply(const nlohmann::json& answer, size_t texts);

}  // namespace ip2p
