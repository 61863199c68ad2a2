#include "common/base/retry_policy.h"

#include "gtest/gtest.h"

namespace ip2p {
namespace {

FailedAttempt Failed(int attempt) { return {.attempt = attempt, .now = absl::UnixEpoch()}; }

TEST(RetryPolicyTest, ClassifiesStatuses) {
  for (const int status : {408, 409, 429, 500, 502, 503, 504, 529}) {
    EXPECT_EQ(ClassifyHttpStatus(status, {}), FailureKind::kTransient) << status;
    EXPECT_EQ(ClassifyHttpStatus(status, false), FailureKind::kFinal) << status;
  }
  for (const int status : {301, 400, 403, 404, 413, 422}) {
    EXPECT_EQ(ClassifyHttpStatus(status, {}), FailureKind::kFinal) << status;
    EXPECT_EQ(ClassifyHttpStatus(status, true), FailureKind::kTransient) << status;
  }
  EXPECT_EQ(ClassifyHttpStatus(401, {}), FailureKind::kFatal);
  EXPECT_EQ(ClassifyHttpStatus(401, true), FailureKind::kFatal);
}

TEST(RetryPolicyTest, DoublesFromHalfASecondToEight) {
  const RetryPolicy policy{.max_attempts = 100};
  const double wanted[] = {0.5, 1, 2, 4, 8, 8, 8};
  for (int attempt = 1; attempt <= 7; ++attempt) {
    FailedAttempt failed = Failed(attempt);
    EXPECT_EQ(NextRetry(policy, failed).wait, absl::Seconds(wanted[attempt - 1]));
    failed.random = 0.999;
    const RetryDecision jittered = NextRetry(policy, failed);
    EXPECT_LT(jittered.wait, absl::Seconds(wanted[attempt - 1]) * 0.76);
    EXPECT_GT(jittered.wait, absl::Seconds(wanted[attempt - 1]) * 0.74);
  }
}

TEST(RetryPolicyTest, NeverWaitsLessThanTheServerAsks) {
  for (const double random : {0.0, 0.5, 0.999}) {
    FailedAttempt failed = Failed(1);
    failed.random = random;
    failed.retry_after = absl::Seconds(30);
    const RetryDecision decision = NextRetry({}, failed);
    EXPECT_EQ(decision.verdict, RetryVerdict::kWait);
    EXPECT_GE(decision.wait, absl::Seconds(30));
    EXPECT_LT(decision.wait, absl::Seconds(31));
  }
}

TEST(RetryPolicyTest, ARetryAfterInThePastMeansTheUsualWait) {
  FailedAttempt failed = Failed(1);
  failed.retry_after = absl::ZeroDuration();
  EXPECT_EQ(NextRetry({}, failed).wait, absl::Milliseconds(500));
}

TEST(RetryPolicyTest, AnAbsurdRetryAfterEndsIt) {
  FailedAttempt failed = Failed(1);
  for (const absl::Duration absurd : {absl::Hours(2), absl::InfiniteDuration()}) {
    failed.retry_after = absurd;
    EXPECT_EQ(NextRetry({}, failed).verdict, RetryVerdict::kRetryAfterTooLong);
  }
}

TEST(RetryPolicyTest, StopsAtTheLastAttemptTheDeadlineAndFinalFailures) {
  EXPECT_EQ(NextRetry({}, Failed(5)).verdict, RetryVerdict::kWait);
  EXPECT_EQ(NextRetry({}, Failed(6)).verdict, RetryVerdict::kTooManyAttempts);
  FailedAttempt late = Failed(1);
  late.deadline = late.now + absl::Milliseconds(400);
  EXPECT_EQ(NextRetry({}, late).verdict, RetryVerdict::kPastDeadline);
  FailedAttempt final = Failed(1);
  final.kind = FailureKind::kFinal;
  EXPECT_EQ(NextRetry({}, final).verdict, RetryVerdict::kFinal);
}

}  // namespace
}  // namespace ip2p
