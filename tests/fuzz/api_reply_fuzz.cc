// libFuzzer: what an API may answer. The first byte chooses the status and what was asked for; then headers
// up to an empty line, then the body. No text that comes out holds the key.
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/http/retry_after.h"
#include "common/openai/api_call.h"
#include "common/openai/endpoints.h"
#include "common/prompts/batch_file.h"
#include "common/prompts/openai_reply.h"

namespace {

void Check(bool good) {
  if (!good) std::abort();
}

const ip2p::ApiKey& Key() {
  static const auto* const kKey = new ip2p::ApiKey(*ip2p::ApiKey::FromText("sk-canary-0123456789abcdef"));
  return *kKey;
}

void CheckAttempt(const ip2p::Attempt& attempt) {
  const bool answered = attempt.result == ip2p::AttemptResult::kAnswered;
  Check(answered == !attempt.edit.empty() && answered == !attempt.output.empty());
  for (const std::string* text : {&attempt.edit, &attempt.output}) {
    Check(text->size() <= 4096 && text->find('\0') == std::string::npos &&
          text->find('\n') == std::string::npos);
  }
  Check(attempt.model.size() <= 256);
}

ip2p::HttpResponse Response(uint8_t choice, std::string_view text) {
  static constexpr int kStatuses[] = {200, 400, 401, 403, 404, 408, 409, 429,
                                      500, 503, 302, 204, 0,   529, 422, 502};
  ip2p::HttpResponse response;
  response.status = kStatuses[choice % 16];
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    response.headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
  }
  response.body = std::string(text);
  return response;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ip2p::HttpResponse response = Response(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  const auto wait = ip2p::ParseRetryAfter(response, absl::FromUnixSeconds(1'700'000'000));
  Check(!wait.has_value() || *wait >= absl::ZeroDuration());
  const auto reset = ip2p::ParseReset(response.Header("x-ratelimit-reset-requests"));
  Check(!reset.has_value() || *reset >= absl::ZeroDuration());

  const ip2p::Exchange exchange = ip2p::JudgeExchange({}, response, Key());
  Check(!Key().IsIn({exchange.status.message().data(), exchange.status.message().size()}));
  Check((exchange.end == ip2p::ApiEnd::kAnswered) == (exchange.charge == ip2p::Charge::kAnswer));
  if (exchange.end == ip2p::ApiEnd::kAnswered) {
    CheckAttempt(ip2p::ReadChatReply(exchange.answer));
    CheckAttempt(ip2p::ReadCompletionReply(exchange.answer));
    (void)ip2p::ReadModerationReply(exchange.answer, 2);
    const auto tokens = ip2p::ReadTokenCount(exchange.answer);
    Check(!tokens.has_value() || (tokens->prompt >= 0 && tokens->completion >= 0));
    Check(ip2p::TextField(exchange.answer, "id").size() <= 256);
    Check(ip2p::CountField(exchange.answer, "trained_tokens") >= 0);
    (void)ip2p::TimeField(exchange.answer, "created_at");
    (void)ip2p::MetadataField(exchange.answer);
    (void)ip2p::ListField(exchange.answer);
  }
  const auto batch =
      ip2p::ParseBatchAnswer(response.body, ip2p::OpenAiStyle::kChat, {.input = 1, .output = 2}, 256, Key());
  if (batch.has_value()) Check(batch->index >= 0 && batch->attempt.usage.cost_micro_usd >= 0);
  return 0;
}
