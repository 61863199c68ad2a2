#include "common/object_store/s3_client.h"

#include <string>
#include <utility>

#include "common/object_store/s3_answer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_http_client.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "very/secret";

HttpResponse Refusal(int status, const std::string& code, const std::string& message = "no") {
  return {.status = status,
          .body = "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>"};
}

HttpResponse Success(const std::string& body, std::vector<HttpHeader> headers = {}) {
  headers.push_back({"etag", "\"e\""});
  return {.status = 200, .headers = std::move(headers), .body = body};
}

template <typename T>
Task<void> Keep(Task<T> task, T* result) {
  *result = co_await std::move(task);
}

class S3ClientTest : public ::testing::Test {
 protected:
  static StoreSettings Settings() {
    return {.endpoint = "http://store", .keys = {.keys = {.access_key = "id", .secret_key = kSecret}}};
  }

  absl::StatusOr<ObjectBytes> Get() {
    absl::StatusOr<ObjectBytes> result = absl::UnknownError("not run");
    Task<absl::StatusOr<ObjectBytes>> task = client_.Get({"data", "a/b"}, 1000, nullptr);
    simulated_.loop.Run(Keep(std::move(task), &result));
    return result;
  }

  SimulatedLoop simulated_;
  FakeHttpClient http_{&simulated_.loop};
  S3Client client_{&http_, &simulated_.loop, Settings(), [] { return 0.0; }};
};

TEST_F(S3ClientTest, WhatMayPassIsAskedAgainLaterAndLater) {
  http_.answers.push_back(absl::UnavailableError("no connection"));
  http_.answers.push_back(Refusal(503, "SlowDown"));
  http_.answers.push_back(Refusal(400, "RequestTimeout"));
  http_.answers.push_back(Success("x", {{"x-amz-checksum-crc32", "AAAAAA=="}}));  // damaged on the way
  http_.answers.push_back(Success("x"));
  const auto object = Get();
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(object->bytes, "x");
  EXPECT_EQ(object->etag, "\"e\"");
  ASSERT_EQ(http_.sent.size(), 5u);
  const absl::Time start = http_.sent[0].first;
  EXPECT_EQ(http_.sent[1].first - start, absl::Milliseconds(500));
  EXPECT_EQ(http_.sent[4].first - start, absl::Milliseconds(500 + 1000 + 2000 + 4000));
}

TEST_F(S3ClientTest, GivesUpWithTheNumberOfTries) {
  http_.otherwise = [](const HttpRequest&) { return Refusal(503, "SlowDown", "reduce your rate"); };
  const auto object = Get();
  EXPECT_TRUE(absl::IsUnavailable(object.status()));
  EXPECT_EQ(object.status().message(),
            "s3://data/a/b: the store answered 503 SlowDown (reduce your rate) (tried 8 times)");
}

TEST_F(S3ClientTest, WaitsAsLongAsTheStoreWants) {
  HttpResponse busy = Refusal(503, "SlowDown");
  busy.headers.push_back({"retry-after", "30"});
  http_.answers.push_back(busy);
  http_.answers.push_back(Success("x"));
  EXPECT_TRUE(Get().ok());
  EXPECT_GE(http_.sent[1].first - http_.sent[0].first, absl::Seconds(30));
}

TEST_F(S3ClientTest, WhatIsFinalIsToldAtOnce) {
  const struct {
    HttpResponse answer;
    absl::StatusCode code;
    const char* words;
  } cases[] = {
      {Refusal(404, "NoSuchKey"), absl::StatusCode::kNotFound, "wants an object that is there"},
      {Refusal(404, "NoSuchBucket"), absl::StatusCode::kNotFound, "wants a bucket that is there"},
      {Refusal(403, "AccessDenied"), absl::StatusCode::kPermissionDenied, "wants keys that have the right"},
      {Refusal(400, "ExpiredToken"), absl::StatusCode::kPermissionDenied, "wants keys that have not run out"},
      {Refusal(412, "PreconditionFailed"), absl::StatusCode::kAborted, "wants it unchanged"},
      {Refusal(416, "InvalidRange"), absl::StatusCode::kOutOfRange, "416"},
      {Refusal(501, "NotImplemented"), absl::StatusCode::kUnimplemented, "501"},
      {Refusal(400, "InvalidArgument"), absl::StatusCode::kInvalidArgument, "InvalidArgument"},
      {{.status = 302}, absl::StatusCode::kFailedPrecondition, "wants the store's own address"},
  };
  for (const auto& one : cases) {
    http_.sent.clear();
    http_.answers.push_back(one.answer);
    const auto object = Get();
    EXPECT_EQ(object.status().code(), one.code) << object.status();
    EXPECT_THAT(std::string(object.status().message()), HasSubstr(one.words));
    EXPECT_THAT(std::string(object.status().message()), HasSubstr("s3://data/a/b: the store answered"));
    EXPECT_EQ(http_.sent.size(), 1u);
  }
}

TEST_F(S3ClientTest, NamesTheRegionThatIsWanted) {
  HttpResponse answer = Refusal(400, "AuthorizationHeaderMalformed");
  answer.body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>";
  http_.answers.push_back(answer);
  const auto object = Get();
  EXPECT_TRUE(absl::IsFailedPrecondition(object.status()));
  EXPECT_THAT(std::string(object.status().message()),
              HasSubstr("region eu-west-3, wants that as AWS_REGION"));
}

TEST_F(S3ClientTest, TellsHowFarTheClocksAreApart) {
  HttpResponse answer = Refusal(403, "RequestTimeTooSkewed");
  answer.headers.push_back({"date", "Tue, 14 Nov 2023 21:13:20 GMT"});  // an hour before the simulated clock
  http_.answers.push_back(answer);
  EXPECT_THAT(std::string(Get().status().message()), HasSubstr("clock is 1h from the store's"));
}

TEST_F(S3ClientTest, ShowsNoSecretThatIsEchoed) {
  http_.answers.push_back(Refusal(403, "AccessDenied", std::string("you sent ") + kSecret + "\n\x01"));
  const auto object = Get();
  EXPECT_THAT(std::string(object.status().message()), HasSubstr("you sent [key]"));
  EXPECT_THAT(std::string(object.status().message()), Not(HasSubstr(kSecret)));
}

TEST_F(S3ClientTest, BytesThatStayWrongAreDataLoss) {
  http_.otherwise = [](const HttpRequest&) { return Success("x", {{"x-amz-checksum-crc32c", "AAAAAA=="}}); };
  const auto object = Get();
  EXPECT_TRUE(absl::IsDataLoss(object.status()));
  EXPECT_THAT(std::string(object.status().message()), HasSubstr("s3://data/a/b: the bytes that came"));
}

TEST_F(S3ClientTest, KeysThatAreMissingAreToldWithoutAsking) {
  S3Client client(&http_, &simulated_.loop, {.endpoint = "http://store"}, [] { return 0.0; });
  absl::StatusOr<ObjectBytes> result = absl::UnknownError("not run");
  Task<absl::StatusOr<ObjectBytes>> task = client.Get({"data", "x"}, 1000, nullptr);
  simulated_.loop.Run(Keep(std::move(task), &result));
  EXPECT_TRUE(absl::IsUnauthenticated(result.status()));
  EXPECT_TRUE(http_.sent.empty());
}

TEST_F(S3ClientTest, APartThatIsShortIsAskedForAgain) {
  http_.answers.push_back(
      HttpResponse{.status = 206, .headers = {{"content-range", "bytes 4-6/9"}}, .body = "ab"});
  http_.answers.push_back(
      HttpResponse{.status = 206, .headers = {{"content-range", "bytes 0-2/9"}}, .body = "abc"});
  http_.answers.push_back(
      HttpResponse{.status = 206, .headers = {{"content-range", "bytes 4-6/9"}}, .body = "abc"});
  absl::StatusOr<std::string> result = absl::UnknownError("not run");
  Task<absl::StatusOr<std::string>> task = client_.GetPart({"data", "x"}, "\"e\"", 4, 3, nullptr);
  simulated_.loop.Run(Keep(std::move(task), &result));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, "abc");
  EXPECT_EQ(http_.sent.size(), 3u);
}

TEST_F(S3ClientTest, AnUploadWhoseEndWasHeardIsDone) {
  http_.answers.push_back(absl::UnavailableError("broken off"));
  http_.answers.push_back(Refusal(404, "NoSuchUpload"));
  http_.answers.push_back(HttpResponse{
      .status = 200, .headers = {{"etag", "\"e-2\""}, {"content-length", "5"}, {kSha256Header, "ab12"}}});
  absl::Status result = absl::UnknownError("not run");
  Task<absl::Status> task = client_.FinishUpload({"data", "x"}, "id", {}, "ab12", nullptr);
  simulated_.loop.Run(Keep(std::move(task), &result));
  EXPECT_TRUE(result.ok()) << result;
}

TEST(ChecksumsOfTest, TakesThoseOfTheWhole) {
  const ObjectChecksums composite = ChecksumsOf(
      {.headers = {{"etag", "\"e-2\""}, {"x-amz-checksum-crc32", "AAAAAA==-2"}, {kSha256Header, "ab"}}});
  EXPECT_EQ(composite, (ObjectChecksums{.sha256 = "ab"}));
  const ObjectChecksums silent =
      ChecksumsOf({.headers = {{"etag", "\"e-2\""}, {"x-amz-checksum-crc32", "AAAAAA=="}}});
  EXPECT_TRUE(silent.empty());
  const ObjectChecksums full = ChecksumsOf({.headers = {{"etag", "\"e-2\""},
                                                        {"x-amz-checksum-type", "FULL_OBJECT"},
                                                        {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}});
  EXPECT_EQ(full.crc64nvme, "AAAAAAAAAAA=");
  EXPECT_EQ(ChecksumsOf({.headers = {{"x-amz-checksum-sha256", "AP8="}, {kSha256Header, "old"}}}).sha256,
            "00ff");
}

}  // namespace
}  // namespace ip2p
