#include "common/prompts/openai_reply.h"

#include "common/prompts/chat_format.h"
#include "common/prompts/completion_format.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostTokens = 1'000'000'000;
constexpr size_t kMaxModelBytes = 256;

// The member of that name, if `object` is an object and has it and it is no null.
const Json* Member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

const std::string* TextMember(const Json& object, const char* name) {
  const Json* member = Member(object, name);
  return member != nullptr && member->is_string() ? &member->get_ref<const std::string&>() : nullptr;
}

std::optional<int64_t> Count(const Json& usage, const char* name) {
  const Json* member = Member(usage, name);
  if (member == nullptr) return 0;  // moderations and embeddings have no completion
  if (!member->is_number_integer()) return std::nullopt;
  if (member->is_number_unsigned() && member->get<uint64_t>() > kMostTokens) return std::nullopt;
  const auto count = member->get<int64_t>();
  return count >= 0 && count <= kMostTokens ? std::optional(count) : std::nullopt;
}

const Json* FirstChoice(const Json& answer) {
  const Json* choices = Member(answer, "choices");
  return choices != nullptr && choices->is_array() && !choices->empty() ? &choices->front() : nullptr;
}

// What both endpoints share; kAnswered means: look at the text.
Attempt Begin(const Json& answer, const Json* choice) {
  Attempt attempt;
  if (const std::string* model = TextMember(answer, "model"))
    attempt.model = model->substr(0, kMaxModelBytes);
  attempt.result = AttemptResult::kMalformed;
  if (choice == nullptr) return attempt;
  const std::string* finish = TextMember(*choice, "finish_reason");
  if (finish != nullptr && *finish == "length") return attempt;
  const bool filtered = finish != nullptr && *finish == "content_filter";
  attempt.result = filtered ? AttemptResult::kRefused : AttemptResult::kAnswered;
  return attempt;
}

void Fill(Attempt& attempt, std::optional<WrittenEdit> written) {
  if (!written.has_value()) {
    attempt.result = AttemptResult::kMalformed;
    return;
  }
  attempt.edit = std::move(written->edit);
  attempt.output = std::move(written->output);
}

}  // namespace

std::optional<TokenCount> ReadTokenCount(const Json& answer) {
  const Json* usage = Member(answer, "usage");
  if (usage == nullptr || !usage->is_object() || Member(*usage, "prompt_tokens") == nullptr)
    return std::nullopt;
  const std::optional<int64_t> prompt = Count(*usage, "prompt_tokens");
  const std::optional<int64_t> completion = Count(*usage, "completion_tokens");
  if (!prompt.has_value() || !completion.has_value()) return std::nullopt;
  return TokenCount{*prompt, *completion};
}

Attempt ReadChatReply(const Json& answer) {
  const Json* choice = FirstChoice(answer);
  Attempt attempt = Begin(answer, choice);
  if (attempt.result != AttemptResult::kAnswered) return attempt;
  const Json* message = Member(*choice, "message");
  if (message != nullptr && Member(*message, "refusal") != nullptr) {
    attempt.result = AttemptResult::kRefused;
    return attempt;
  }
  const std::string* content = message == nullptr ? nullptr : TextMember(*message, "content");
  Fill(attempt, content == nullptr ? std::nullopt : ParseChatAnswer(*content));
  return attempt;
}

Attempt ReadCompletionReply(const Json& answer) {
  const Json* choice = FirstChoice(answer);
  Attempt attempt = Begin(answer, choice);
  if (attempt.result != AttemptResult::kAnswered) return attempt;
  const std::string* text = TextMember(*choice, "text");
  Fill(attempt, text == nullptr ? std::nullopt : ParseCompletion(*text));
  return attempt;
}

std::optional<bool> ReadModerationReply(const Json& answer, size_t texts) {
  const Json* results = Member(answer, "results");
  if (results == nullptr || !results->is_array() || results->size() != texts) return std::nullopt;
  bool any = false;
  for (const Json& result : *results) {
    const Json* flagged = Member(result, "flagged");
    if (flagged == nullptr || !flagged->is_boolean()) return std::nullopt;
    any = any || flagged->get<bool>();
  }
  return any;
}

}  // namespace ip2p
