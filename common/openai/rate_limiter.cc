#include "common/openai/rate_limiter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/http/retry_after.h"

namespace ip2p {
namespace {

constexpr double kMaxPerMinute = 1e12;
constexpr size_t kMostMeters = 256;

std::optional<double> Number(const HttpResponse& response, const std::string& name) {
  const std::string_view text = response.Header(name);
  double number = 0;
  if (text.empty() || !absl::SimpleAtod(absl::string_view(text.data(), text.size()), &number))
    return std::nullopt;
  if (!(number >= 0 && number <= kMaxPerMinute)) return std::nullopt;
  return number;
}

}  // namespace

void TokenBucket::Fill(absl::Time now) {
  if (now > at_) level_ = std::min(per_minute_, level_ + absl::ToDoubleSeconds(now - at_) * per_minute_ / 60);
  at_ = std::max(at_, now);
}

absl::Time TokenBucket::Take(double amount, absl::Time now) {
  if (per_minute_ <= 0) return now;
  Fill(now);
  level_ -= std::min(amount, per_minute_);  // one request above a minute's worth must still get through
  return level_ >= 0 ? now : now + absl::Seconds(-level_ * 60 / per_minute_);
}

void TokenBucket::SetRate(double per_minute, absl::Time now) {
  Fill(now);
  if (per_minute_ <= 0) level_ = per_minute;
  per_minute_ = per_minute;
  level_ = std::min(level_, per_minute_);
}

void TokenBucket::LowerTo(double level, absl::Time now) {
  if (per_minute_ <= 0) return;
  Fill(now);
  level_ = std::min(level_, level);
}

RateLimiter::RateLimiter(EventLoop* loop, RateLimits limits, absl::Duration longest_wait)
    : loop_(loop), limits_(limits), longest_wait_(longest_wait) {}

RateLimiter::Meter& RateLimiter::Of(const std::string& meter) {
  const std::string& name = meters_.contains(meter) || meters_.size() < kMostMeters ? meter : std::string();
  const auto rate = [now = loop_->Now()](int64_t per_minute) {
    return TokenBucket(static_cast<double>(per_minute), now);
  };
  const auto [place, added] =
      meters_.try_emplace(name, Meter{rate(limits_.requests_per_minute), rate(limits_.tokens_per_minute)});
  return place->second;
}

Task<absl::Status> RateLimiter::Acquire(const std::string& meter, int64_t tokens, CancelToken* cancel) {
  const absl::Time now = loop_->Now();
  const auto amount = static_cast<double>(tokens);
  Meter& mine = Of(meter);  // none is ever removed
  const absl::Time turn = std::max(mine.requests.Take(1, now), mine.tokens.Take(amount, now));
  absl::Status status = co_await AwaitTurn(turn, cancel);
  if (!status.ok()) {
    mine.requests.GiveBack(1);
    mine.tokens.GiveBack(amount);
  }
  co_return status;
}

Task<absl::Status> RateLimiter::AwaitTurn(absl::Time turn, CancelToken* cancel) {
  absl::Status status;
  while (status.ok()) {
    turn = std::max(turn, blocked_until_);  // which may have moved while this one slept
    const absl::Time present = loop_->Now();
    if (turn <= present) co_return absl::OkStatus();
    if (refused_until_ > present) {
      status = absl::UnavailableError(
          absl::StrCat("the provider asked for a wait of more than ", absl::FormatDuration(longest_wait_),
                       "; it is asked again in ", absl::FormatDuration(refused_until_ - present)));
      break;
    }
    status = co_await loop_->SleepUntil(turn, cancel);
  }
  co_return status;
}

void RateLimiter::BlockUntil(absl::Time until) {
  const absl::Time latest = loop_->Now() + longest_wait_;
  if (until > latest) {
    until = latest;
    refused_until_ = latest;
  }
  if (until <= blocked_until_) return;
  blocked_until_ = until;
  for (const Watch* watch : watches_) watch->on_closed_(until);
}

RateLimiter::Watch::Watch(RateLimiter* limiter, std::function<void(absl::Time)> on_closed)
    : limiter_(limiter), on_closed_(std::move(on_closed)) {
  limiter_->watches_.push_back(this);
  if (limiter_->blocked_until_ > limiter_->loop_->Now()) on_closed_(limiter_->blocked_until_);
}

RateLimiter::Watch::~Watch() { std::erase(limiter_->watches_, this); }

void RateLimiter::Observe(const std::string& meter, const HttpResponse& response) {
  Meter& mine = Of(meter);
  Observe(response, "requests", limits_.requests_per_minute > 0, mine.requests);
  Observe(response, "tokens", limits_.tokens_per_minute > 0, mine.tokens);
}

void RateLimiter::Observe(const HttpResponse& response, const char* kind, bool configured,
                          TokenBucket& bucket) {
  const absl::Time now = loop_->Now();
  const auto limit = Number(response, absl::StrCat("x-ratelimit-limit-", kind));
  const auto remaining = Number(response, absl::StrCat("x-ratelimit-remaining-", kind));
  // A configured limit is the operator's; the server's can only lower it.
  if (limit.value_or(0) > 0 && (!configured || *limit < bucket.per_minute())) bucket.SetRate(*limit, now);
  if (!remaining.has_value()) return;
  bucket.LowerTo(*remaining, now);
  const auto reset = ParseReset(response.Header(absl::StrCat("x-ratelimit-reset-", kind)));
  if (*remaining < 1 && reset.has_value() && bucket.per_minute() <= 0)
    BlockFor(std::min(*reset, absl::Minutes(1)));
}

}  // namespace ip2p
