#include "common/prompts/openai_models.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/prompts/chat_format.h"
#include "common/prompts/completion_format.h"
#include "common/prompts/metered_send.h"
#include "common/prompts/openai_reply.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr int64_t kBytesPerToken = 4;  // of English: for rate limits, not for money
constexpr int kReplyTries = 3;         // of an answer that is JSON but no moderation

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Models that think before they answer take no sampling parameters and call the limit otherwise: "o4-mini",
// "gpt-5.1-2025-11-13", "ft:o4-mini:org::id"; not "gpt-5-chat-latest", which does not think.
bool IsReasoningModel(absl::string_view model) {
  absl::ConsumePrefix(&model, "ft:");
  if (absl::StartsWith(model, "gpt-5-chat")) return false;
  for (const char* family : {"o1", "o3", "o4", "gpt-5"}) {
    absl::string_view rest = model;
    if (!absl::ConsumePrefix(&rest, family)) continue;
    if (rest.empty() || rest[0] == '-' || rest[0] == '.' || rest[0] == ':') return true;
  }
  return false;
}

// An edit takes little thought. Some of these models know no "low" and would refuse the request.
bool TakesLowEffort(const std::string& model) {
  for (const char* other : {"-chat", "-pro", "o1-mini", "o1-preview"}) {
    if (absl::StrContains(model, other)) return false;
  }
  return true;
}

const std::string& Named(const GenerationParams& params, const std::string& configured) {
  return params.model.empty() ? configured : params.model;
}

}  // namespace

int MostAnswerTokens(OpenAiStyle style, const std::string& model, const GenerationParams& params) {
  const bool reasons = style == OpenAiStyle::kChat && IsReasoningModel(model);
  return params.max_tokens + (reasons ? kThinkingTokens : 0);
}

ApiRequest WriteRequest(OpenAiStyle style, const std::string& model, const Caption& caption,
                        const GenerationParams& params, uint64_t seed) {
  const bool reasons = style == OpenAiStyle::kChat && IsReasoningModel(model);
  Json body = {{"model", model}};
  const int most_tokens = MostAnswerTokens(style, model, params);
  body[reasons ? "max_completion_tokens" : "max_tokens"] = most_tokens;
  if (reasons) {
    if (TakesLowEffort(model)) body["reasoning_effort"] = "low";
  } else {
    body["temperature"] = params.temperature;
    body["frequency_penalty"] = params.frequency_penalty;
  }
  body["seed"] = seed & 0x7fffffff;  // some servers hold it in 32 bits
  ApiRequest request;
  if (style == OpenAiStyle::kChat) {
    request.path = "/chat/completions";
    body["messages"] = ChatMessages(caption.text);
    body["response_format"] = ChatResponseFormat();
  } else {
    request.path = "/completions";
    body["prompt"] = CompletionPrompt(caption.text);
    body["stop"] = Json::array({kCompletionEnd});
  }
  request.meter = absl::StrCat(request.path, " ", model);
  request.body = Dump(body);
  request.tokens = static_cast<int64_t>(request.body.size()) / kBytesPerToken + most_tokens;
  request.max_answer_bytes = 1 << 20;
  return request;
}

Task<Attempt> OpenAiModel::Write(const Caption& caption, TryContext context) {
  const std::string& model = Named(context.params, model_);
  ApiRequest request = WriteRequest(style_, model, caption, context.params, context.seed);
  const TokenPrice price = prices_->Find(model).value_or(TokenPrice{});
  Usage usage;
  MeteredSend meter(&context.spend, price, request.body.size(),
                    MostAnswerTokens(style_, model, context.params), &usage);
  ApiReply reply = co_await api_->Call(std::move(request), &meter, context.cancel);
  Attempt attempt;
  if (reply.held_key) {  // such a text must not become data
    attempt.result = AttemptResult::kMalformed;
  } else if (reply.end == ApiEnd::kAnswered) {
    attempt = style_ == OpenAiStyle::kChat ? ReadChatReply(reply.answer) : ReadCompletionReply(reply.answer);
  } else {
    attempt.result = ResultOf(reply.end);
    attempt.status = std::move(reply.status);
  }
  attempt.usage = usage;
  co_return attempt;
}

absl::Status OpenAiModel::CheckPriced(const GenerationParams& params) const {
  const std::string& model = Named(params, model_);
  if (prices_->Find(model).has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("no budget can be kept for the model ", model, "; wants its price in the price file"));
}

Task<Verdict> OpenAiModerator::Judge(std::vector<std::string> texts, TryContext context) {
  Verdict verdict;
  // Some servers give one result for a list of texts; those are asked text by text.
  const bool together = co_await JudgeOnce(texts, context.cancel, &verdict);
  if (together || texts.size() == 1 || verdict.result != AttemptResult::kAnswered) co_return verdict;
  for (std::string& text : texts) {
    std::vector<std::string> one;
    one.push_back(std::move(text));
    const bool judged = co_await JudgeOnce(one, context.cancel, &verdict);
    if (!judged || verdict.flagged) co_return verdict;
  }
  co_return verdict;
}

Task<bool> OpenAiModerator::JudgeOnce(const std::vector<std::string>& texts, CancelToken* cancel,
                                      Verdict* verdict) {
  const Json body = {{"model", model_}, {"input", texts}};
  bool counted_otherwise = false;
  for (int attempt = 1; attempt <= kReplyTries && !counted_otherwise; ++attempt) {
    ApiRequest request;
    request.path = "/moderations";
    request.body = Dump(body);
    request.tokens = static_cast<int64_t>(request.body.size()) / kBytesPerToken;
    request.max_answer_bytes = 1 << 20;
    ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
    verdict->usage.requests += reply.requests;
    verdict->result = ResultOf(reply.end);
    verdict->status = std::move(reply.status);
    if (reply.end == ApiEnd::kRefused) {  // a filter in front of the judge has judged
      verdict->result = AttemptResult::kAnswered;
      verdict->flagged = true;
      co_return true;
    }
    if (reply.end != ApiEnd::kAnswered) co_return false;
    const std::optional<bool> flagged = ReadModerationReply(reply.answer, texts.size());
    if (flagged.has_value()) {
      verdict->flagged = *flagged;
      co_return true;
    }
    counted_otherwise = texts.size() > 1 && ReadModerationReply(reply.answer, 1).has_value();
  }
  if (!counted_otherwise) {
    verdict->result = AttemptResult::kProviderError;
    verdict->status =
        absl::UnavailableError("the moderation's answer lacks a result; wants one for each text");
  }
  co_return false;
}

}  // namespace ip2p
