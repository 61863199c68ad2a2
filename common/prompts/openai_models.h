// The OpenAI API as writer and as judge: chat completions with a strict schema, completions of a model that
// was fine-tuned in the reference's format, moderation. One loop's thread; API and prices must outlive them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/openai/openai_api.h"
#include "common/openai/price_table.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

enum class OpenAiStyle { kChat, kCompletion };

// Most tokens that an answer may take, thought and text: `max_tokens`, and kThinkingTokens more where the
// model thinks before it answers (o1, o3, o4, gpt-5 and what is fine-tuned from them, as chat). This is what
// is asked for, reserved and counted against the rate limit.
inline constexpr int kThinkingTokens =
    2048;  // low effort takes some hundreds; what is not used costs nothing
int MostAnswerTokens(OpenAiStyle style, const std::string& model, const GenerationParams& params);

// The request that writes an edit; the Batch API sends the same body.
ApiRequest WriteRequest(OpenAiStyle style, const std::string& model, const Caption& caption,
                        const GenerationParams& params, uint64_t seed);

class OpenAiModel final : public PromptModel {
 public:
  // `model` is asked for where the parameters name none.
  OpenAiModel(OpenAiApi* api, OpenAiStyle style, std::string model, const PriceTable* prices)
      : api_(api), style_(style), model_(std::move(model)), prices_(prices) {}

  Task<Attempt> Write(const Caption& caption, TryContext context) override;

  // FAILED_PRECONDITION when the price of what would be asked is unknown: then no budget can be kept. The
  // caller asks before a run with a budget; without one, an unknown price counts as 0.
  absl::Status CheckPriced(const GenerationParams& params) const;

 private:
  OpenAiApi* const api_;
  const OpenAiStyle style_;
  const std::string model_;
  const PriceTable* const prices_;
};

class OpenAiModerator final : public Moderator {
 public:
  explicit OpenAiModerator(OpenAiApi* api, std::string model = "omni-moderation-latest")
      : api_(api), model_(std::move(model)) {}

  // Moderation is free of charge: nothing is reserved.
  Task<Verdict> Judge(std::vector<std::string> texts, TryContext context) override;

 private:
  // Fills `verdict`. False: there is none; kAnswered then means that the server gave one result for all
  // texts.
  Task<bool> JudgeOnce(const std::vector<std::string>& texts, CancelToken* cancel, Verdict* verdict);

  OpenAiApi* const api_;
  const std::string model_;
};

}  // namespace ip2p
