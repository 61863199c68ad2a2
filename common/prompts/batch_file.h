// The files of the Batch API: one JSON object a line, requests in, answers out in any order. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/openai/api_key.h"
#include "common/openai/price_table.h"
#include "common/prompts/openai_models.h"

namespace ip2p {

// The line that asks for a caption, with its newline. `worst` gets what it can cost.
std::string BatchLine(OpenAiStyle style, const std::string& model, const Caption& caption,
                      const GenerationParams& params, uint64_t seed, const TokenPrice& price, int64_t* worst);

struct BatchAnswer {
  int64_t index = 0;  // of the caption
  Attempt attempt;    // as if the request had been sent alone; kProviderError for a line of the error file
};

// Nothing when the line is no answer to one of ours. No text in it holds the key. An answer that doesn't tell
// its tokens counts as `max_tokens` and a token for each of its own bytes.
std::optional<BatchAnswer> ParseBatchAnswer(std::string_view line, OpenAiStyle style, const TokenPrice& price,
                                            int max_tokens, const ApiKey& key);

}  // namespace ip2p
