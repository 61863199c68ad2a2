#include "common/prompts/batch_file.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/dataset/json_text.h"
#include "common/openai/endpoints.h"
#include "common/prompts/openai_reply.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr const char* kIdPrefix = "caption-";
constexpr int64_t kOverheadTokens = 64;

}  // namespace

std::string BatchLine(OpenAiStyle style, const std::string& model, const Caption& caption,
                      const GenerationParams& params, uint64_t seed, const TokenPrice& price,
                      int64_t* worst) {
  const ApiRequest request = WriteRequest(style, model, caption, params, seed);
  *worst = price.MicroUsd(static_cast<int64_t>(request.body.size()) + kOverheadTokens,
                          MostAnswerTokens(style, model, params));
  // The body is JSON already: it is put in as it is.
  return absl::StrCat("{\"custom_id\": \"", kIdPrefix, caption.index,
                      "\", \"method\": \"POST\", \"url\": \"/v1", request.path,
                      "\", \"body\": ", request.body, "}\n");
}

std::optional<BatchAnswer> ParseBatchAnswer(std::string_view line, OpenAiStyle style, const TokenPrice& price,
                                            int max_tokens, const ApiKey& key) {
  absl::StatusOr<Json> object = ParseJsonObject(line);
  if (!object.ok()) return std::nullopt;
  const bool held_key = ScrubJson(key, *object);
  const std::string custom_id = TextField(*object, "custom_id");
  absl::string_view digits = custom_id;
  BatchAnswer answer;
  if (!absl::ConsumePrefix(&digits, kIdPrefix) || !absl::SimpleAtoi(digits, &answer.index) ||
      answer.index < 0) {
    return std::nullopt;
  }
  const auto response = object->find("response");
  const bool answered = response != object->end() && response->is_object() &&
                        CountField(*response, "status_code") == 200 && response->contains("body") &&
                        (*response)["body"].is_object();
  if (!answered) {
    answer.attempt.result = AttemptResult::kProviderError;
    answer.attempt.status = absl::UnavailableError("the batch has no answer for this caption");
    answer.attempt.usage.requests = 1;
    return answer;
  }
  const Json& body = (*response)["body"];
  answer.attempt = style == OpenAiStyle::kChat ? ReadChatReply(body) : ReadCompletionReply(body);
  if (held_key) answer.attempt.result = AttemptResult::kMalformed;
  answer.attempt.usage.requests = 1;
  answer.attempt.usage.cost_micro_usd = price.MicroUsd(static_cast<int64_t>(line.size()), max_tokens);
  if (const std::optional<TokenCount> tokens = ReadTokenCount(body); tokens.has_value()) {
    answer.attempt.usage.prompt_tokens = tokens->prompt;
    answer.attempt.usage.completion_tokens = tokens->completion;
    answer.attempt.usage.cost_micro_usd = price.MicroUsd(tokens->prompt, tokens->completion);
  }
  return answer;
}

}  // namespace ip2p
