#include "common/openai/rate_limiter.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fakes/fake_http_client.h"

namespace ip2p {
namespace {

const absl::Time kStart = absl::UnixEpoch();
constexpr char kMeter[] = "/chat/completions gpt";

TEST(TokenBucketTest, LendsAMinutesWorthThenFillsEvenly) {
  TokenBucket bucket(60, kStart);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(bucket.Take(1, kStart), kStart) << i;
  EXPECT_EQ(bucket.Take(1, kStart), kStart + absl::Seconds(1));
  EXPECT_EQ(bucket.Take(1, kStart), kStart + absl::Seconds(2));
  EXPECT_EQ(bucket.Take(1, kStart + absl::Minutes(10)), kStart + absl::Minutes(10));
}

TEST(TokenBucketTest, ARequestAboveAMinutesWorthStillGetsThrough) {
  TokenBucket bucket(100, kStart);
  EXPECT_EQ(bucket.Take(1000, kStart), kStart);
  EXPECT_EQ(bucket.Take(100, kStart), kStart + absl::Minutes(1));
}

TEST(TokenBucketTest, NoRateIsNoLimit) {
  TokenBucket bucket(0, kStart);
  EXPECT_EQ(bucket.Take(1e9, kStart), kStart);
}

Task<void> AcquireOne(RateLimiter* limiter, EventLoop* loop, int64_t tokens, CancelToken* cancel,
                      std::vector<absl::Duration>* times, absl::Time start, WaitGroup* group) {
  const absl::Status status = co_await limiter->Acquire(kMeter, tokens, cancel);
  times->push_back(status.ok() ? loop->Now() - start : -absl::Seconds(1));
  group->Done();
}

Task<void> AcquireMany(RateLimiter* limiter, EventLoop* loop, int count, int64_t tokens, CancelToken* cancel,
                       std::vector<absl::Duration>* times) {
  WaitGroup group;
  const absl::Time start = loop->Now();
  for (int i = 0; i < count; ++i) {
    group.Add();
    Spawn(AcquireOne(limiter, loop, tokens, cancel, times, start, &group));
  }
  co_await group.Wait();
}

std::vector<absl::Duration> Times(SimulatedLoop& world, RateLimiter& limiter, int count, int64_t tokens = 1) {
  std::vector<absl::Duration> times;
  world.loop.Run(AcquireMany(&limiter, &world.loop, count, tokens, nullptr, &times));
  return times;
}

TEST(RateLimiterTest, HoldsRequestsAndTokensPerMinute) {
  SimulatedLoop world;
  RateLimiter requests(&world.loop, {.requests_per_minute = 120}, absl::Hours(1));
  EXPECT_EQ(Times(world, requests, 240).back(), absl::Minutes(1));
  RateLimiter tokens(&world.loop, {.requests_per_minute = 1000, .tokens_per_minute = 6000}, absl::Hours(1));
  EXPECT_EQ(Times(world, tokens, 90, 100).back(), absl::Seconds(30));
}

TEST(RateLimiterTest, ARetryAfterHoldsEveryoneThoseInLineToo) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  limiter.BlockFor(absl::Seconds(10));
  limiter.BlockFor(absl::Seconds(3));  // shorter: changes nothing
  for (const absl::Duration time : Times(world, limiter, 5)) EXPECT_EQ(time, absl::Seconds(10));
  EXPECT_EQ(Times(world, limiter, 1).front(), absl::ZeroDuration());
}

TEST(RateLimiterTest, WatchesHearWhenTheGateClosesForLonger) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  const absl::Time start = world.loop.Now();
  std::vector<absl::Duration> heard;
  {
    const RateLimiter::Watch watch(&limiter, [&](absl::Time until) { heard.push_back(until - start); });
    limiter.BlockFor(absl::Seconds(5));
    limiter.BlockFor(absl::Seconds(3));
    limiter.BlockUntil(start + absl::Seconds(9));
  }
  limiter.BlockFor(absl::Seconds(20));
  EXPECT_EQ(heard, (std::vector<absl::Duration>{absl::Seconds(5), absl::Seconds(9)}));
  const RateLimiter::Watch late(&limiter, [&](absl::Time until) { heard.push_back(until - start); });
  EXPECT_EQ(heard.back(), absl::Seconds(20));
}

TEST(RateLimiterTest, NobodyWaitsForAnAbsurdBlock) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  limiter.BlockFor(absl::InfiniteDuration());
  EXPECT_EQ(Times(world, limiter, 2), (std::vector<absl::Duration>{-absl::Seconds(1), -absl::Seconds(1)}));
  world.clock.Advance(absl::Hours(1));
  EXPECT_EQ(Times(world, limiter, 1).front(), absl::ZeroDuration());  // nor is it believed for ever
}

TEST(RateLimiterTest, EachMeterHasBucketsOfItsOwn) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  limiter.Observe("/moderations", {.headers = {{"x-ratelimit-limit-requests", "60"},
                                               {"x-ratelimit-remaining-requests", "0"}}});
  limiter.Observe(kMeter, {.headers = {{"x-ratelimit-limit-requests", "6000"},
                                       {"x-ratelimit-remaining-requests", "5999"}}});
  EXPECT_EQ(limiter.requests_per_minute("/moderations"), 60);
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 6000);
  EXPECT_EQ(Times(world, limiter, 100).back(), absl::ZeroDuration());
  for (int i = 0; i < 1000; ++i) limiter.Observe("model " + std::to_string(i), {});
  limiter.Observe("model 2000", {.headers = {{"x-ratelimit-limit-tokens", "7"}}});
  EXPECT_EQ(limiter.tokens_per_minute("model 3000"), 7);  // the last of very many share
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 6000);
}

TEST(RateLimiterTest, LearnsFromHeaders) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  limiter.Observe(
      kMeter, {.status = 200,
               .headers = {{"x-ratelimit-limit-requests", "60"}, {"x-ratelimit-remaining-requests", "2"}}});
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 60);
  EXPECT_EQ(Times(world, limiter, 4), (std::vector<absl::Duration>{absl::ZeroDuration(), absl::ZeroDuration(),
                                                                   absl::Seconds(1), absl::Seconds(2)}));
}

TEST(RateLimiterTest, TheServerOnlyLowersWhatTheOperatorSet) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {.requests_per_minute = 100}, absl::Hours(1));
  limiter.Observe(kMeter, {.headers = {{"x-ratelimit-limit-requests", "5000"}}});
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 100);
  limiter.Observe(kMeter, {.headers = {{"x-ratelimit-limit-requests", "50"}}});
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 50);
}

TEST(RateLimiterTest, ZeroRemainingWithoutARateWaitsForTheReset) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  limiter.Observe(
      kMeter, {.headers = {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "6s"}}});
  EXPECT_EQ(Times(world, limiter, 1).front(), absl::Seconds(6));
}

TEST(RateLimiterTest, IgnoresHeadersThatAreNoNumbers) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {}, absl::Hours(1));
  for (const char* odd : {"-1", "nan", "inf", "many", "1e300", ""}) {
    limiter.Observe(kMeter, {.headers = {{"x-ratelimit-limit-requests", odd},
                                         {"x-ratelimit-remaining-tokens", odd},
                                         {"x-ratelimit-reset-tokens", odd}}});
  }
  EXPECT_EQ(limiter.requests_per_minute(kMeter), 0);
  EXPECT_EQ(Times(world, limiter, 3).back(), absl::ZeroDuration());
}

TEST(RateLimiterTest, WhoeverCancelsGivesTheirPlaceBack) {
  SimulatedLoop world;
  RateLimiter limiter(&world.loop, {.requests_per_minute = 60}, absl::Hours(1));
  Times(world, limiter, 60);
  CancelToken cancel;
  cancel.Cancel();
  std::vector<absl::Duration> cancelled;
  world.loop.Run(AcquireMany(&limiter, &world.loop, 30, 1, &cancel, &cancelled));
  EXPECT_EQ(Times(world, limiter, 1).front(), absl::Seconds(1));  // as if they had never asked
}

}  // namespace
}  // namespace ip2p
