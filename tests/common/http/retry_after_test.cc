#include "common/http/retry_after.h"

#include "gtest/gtest.h"

namespace ip2p {
namespace {

const absl::Time kNow =
    absl::FromUnixSeconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example

std::optional<absl::Duration> Parse(const char* name, const char* value) {
  return ParseRetryAfter({.status = 429, .headers = {{name, value}}}, kNow);
}

TEST(RetryAfterTest, ReadsSecondsMillisecondsAndDates) {
  EXPECT_EQ(Parse("retry-after", "20"), absl::Seconds(20));
  EXPECT_EQ(Parse("retry-after", "1.5"), absl::Milliseconds(1500));
  EXPECT_EQ(Parse("retry-after-ms", "1250"), absl::Milliseconds(1250));
  EXPECT_EQ(Parse("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), absl::Seconds(30));
  EXPECT_EQ(Parse("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT"), absl::Seconds(30));
  EXPECT_EQ(Parse("retry-after", "Sun Nov  6 08:50:07 1994"), absl::Seconds(30));
}

TEST(RetryAfterTest, MillisecondsComeFirst) {
  const HttpResponse both{.status = 429, .headers = {{"retry-after", "9"}, {"retry-after-ms", "70"}}};
  EXPECT_EQ(ParseRetryAfter(both, kNow), absl::Milliseconds(70));
}

TEST(RetryAfterTest, ThePastIsNow) {
  EXPECT_EQ(Parse("retry-after", "Sun, 06 Nov 1994 07:00:00 GMT"), absl::ZeroDuration());
  EXPECT_EQ(Parse("retry-after", "0"), absl::ZeroDuration());
}

TEST(RetryAfterTest, AbsurdNumbersAreLong) {
  EXPECT_GT(*Parse("retry-after", "999999999999"), absl::Hours(24 * 365 * 1000));
  EXPECT_GT(*Parse("retry-after", "99999999999999999999999999999999999999"), absl::Hours(1));
}

TEST(RetryAfterTest, WhatCannotBeReadIsNothing) {
  for (const char* text :
       {"", "-5", "soon", "1e9", "0x10", "nan", "inf", "1.2.3", "Mon, 99 Foo 1994 08:50:07 GMT"}) {
    EXPECT_EQ(Parse("retry-after", text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseRetryAfter({}, kNow), std::nullopt);
}

TEST(RetryAfterTest, ReadsResets) {
  EXPECT_EQ(ParseReset("1s"), absl::Seconds(1));
  EXPECT_EQ(ParseReset("6m0s"), absl::Minutes(6));
  EXPECT_EQ(ParseReset("20ms"), absl::Milliseconds(20));
  EXPECT_EQ(ParseReset("12"), absl::Seconds(12));
  EXPECT_EQ(ParseReset("-3s"), absl::ZeroDuration());
  EXPECT_EQ(ParseReset("tomorrow"), std::nullopt);
  EXPECT_EQ(ParseReset(""), std::nullopt);
}

TEST(RetryAfterTest, ReadsShouldRetry) {
  EXPECT_EQ(ParseShouldRetry({.headers = {{"x-should-retry", "True"}}}), true);
  EXPECT_EQ(ParseShouldRetry({.headers = {{"x-should-retry", "false"}}}), false);
  EXPECT_EQ(ParseShouldRetry({.headers = {{"x-should-retry", "perhaps"}}}), std::nullopt);
}

}  // namespace
}  // namespace ip2p
