// A writer and a judge that do what a test says, one loop turn later, as the real ones do.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/http/event_loop.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

class ScriptedModel final : public PromptModel {
 public:
  using Script = std::function<Attempt(const Caption& caption, int nth_try)>;

  ScriptedModel(EventLoop* loop, Script script) : loop_(loop), script_(std::move(script)) {}

  Task<Attempt> Write(const Caption& caption, TryContext context) override {
    seeds.push_back(context.seed);
    const int nth = tries[caption.text]++;
    Attempt attempt = script_(caption, nth);
    absl::Status reserved = context.spend.Reserve(worst_micro_usd);
    while (absl::IsResourceExhausted(reserved)) {
      const bool room = co_await context.spend.AwaitRoom(context.cancel);
      if (!room) break;
      reserved = context.spend.Reserve(worst_micro_usd);
    }
    if (!reserved.ok()) {
      attempt = {};
      attempt.result = AttemptResult::kOutOfBudget;
      attempt.status = reserved;
      co_return attempt;
    }
    most_in_flight = std::max(most_in_flight, ++in_flight_);
    const absl::Status slept = co_await loop_->Sleep(latency, context.cancel);
    --in_flight_;
    context.spend.Settle(worst_micro_usd, slept.ok() ? cost_micro_usd : worst_micro_usd);
    attempt.usage = {1, 100, 20, cost_micro_usd};
    if (!slept.ok()) attempt.result = AttemptResult::kCancelled;
    co_return attempt;
  }

  // "caption" -> a good answer.
  static Attempt Good(const Caption& caption) {
    Attempt attempt;
    attempt.result = AttemptResult::kAnswered;
    attempt.edit = "make it winter";
    attempt.output = caption.text + " in winter";
    attempt.model = "scripted-1";
    return attempt;
  }
  static Attempt Bad(AttemptResult result, absl::Status status = absl::OkStatus()) {
    Attempt attempt;
    attempt.result = result;
    attempt.status = std::move(status);
    return attempt;
  }

  absl::Duration latency = absl::Milliseconds(200);
  int64_t worst_micro_usd = 0;
  int64_t cost_micro_usd = 0;
  std::map<std::string, int> tries;  // by caption
  std::vector<uint64_t> seeds;
  int most_in_flight = 0;

 private:
  EventLoop* const loop_;
  const Script script_;
  int in_flight_ = 0;
};

// Flags texts that hold `word`.
class ScriptedModerator final : public Moderator {
 public:
  explicit ScriptedModerator(std::string word) : word_(std::move(word)) {}

  Task<Verdict> Judge(std::vector<std::string> texts, TryContext) override {
    Verdict verdict;
    verdict.result = result;
    verdict.usage.requests = 1;
    for (const std::string& text : texts) verdict.flagged = verdict.flagged || absl::StrContains(text, word_);
    asked += 1;
    co_return verdict;
  }

  AttemptResult result = AttemptResult::kAnswered;
  int asked = 0;

 private:
  const std::string word_;
};

}  // namespace ip2p
