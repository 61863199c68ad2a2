#include "common/rpc/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/router.h"
#include "services/gateway/url_text.h"
#include "services/gateway/web_errors.h"

namespace ip2p::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(UrlTextTest, DecodesEscapes) {
  EXPECT_EQ(PercentDecode("make%20it%C3%A9"), "make it\u00e9");
  EXPECT_EQ(PercentDecode("100%25"), "100%");
}

TEST(UrlTextTest, RefusesNulTornEscapesAndWhatIsNoUtf8) {
  for (const char* text : {"%00", "a%", "a%4", "%zz", "%ff", "%c3%28"})
    EXPECT_FALSE(PercentDecode(text)) << text;
}

TEST(UrlTextTest, SplitsAPathAndNeverUpwards) {
  EXPECT_THAT(*SplitPath("/api/v1/models"), ElementsAre("api", "v1", "models"));
  EXPECT_THAT(*SplitPath("/"), ElementsAre());
  EXPECT_THAT(*SplitPath("/a/"), ElementsAre("a"));
  for (const char* path : {"", "a", "/a/../b", "/%2e%2e/etc/passwd", "/..%2f..", "/a//b", "/a%2fb", "/."}) {
    EXPECT_FALSE(SplitPath(path)) << path;
  }
}

Router TwoRoutes() {
  Router router;
  const Handler nothing = [](WebRequest&, EventSink&) -> absl::StatusOr<WebAnswer> { return WebAnswer(); };
  router.Add({.method = "GET", .pattern = "/jobs/{job}", .handler = nothing});
  router.Add({.method = "DELETE", .pattern = "/jobs/{job}", .handler = nothing});
  router.Add({.method = "POST", .pattern = "/jobs/{job}/pause", .handler = nothing});
  return router;
}

TEST(RouterTest, FindsARouteAndWhatItsWildcardsStandFor) {
  const Router router = TwoRoutes();
  const Router::Match match = router.Find("POST", {"jobs", "first-1", "pause"});
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->pattern, "/jobs/{job}/pause");
  EXPECT_THAT(match.parts, ElementsAre("first-1"));
}

TEST(RouterTest, HeadIsAGet) { EXPECT_NE(TwoRoutes().Find("HEAD", {"jobs", "a"}).route, nullptr); }

TEST(RouterTest, TellsAMissingPathFromAnotherMethod) {
  const Router router = TwoRoutes();
  EXPECT_EQ(router.Find("GET", {"jobs"}).allowed, "");
  const Router::Match match = router.Find("PUT", {"jobs", "a"});
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, "GET, DELETE");
}

TEST(WebErrorsTest, HasTheStatusTheCodeAndTheHint) {
  const WebAnswer answer = ErrorAnswer(
      WithRetryAfter(absl::ResourceExhaustedError("the queue is full"), absl::Milliseconds(1200)));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.body, R"({"error":{"code":"RESOURCE_EXHAUSTED","message":"the queue is full"}})");
  EXPECT_THAT(answer.headers, ::testing::Contains(::testing::Pair("Retry-After", "2")));
}

TEST(WebErrorsTest, CodesBecomeStatuses) {
  EXPECT_EQ(HttpStatus(absl::StatusCode::kInvalidArgument), 400);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kUnauthenticated), 401);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kNotFound), 404);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kFailedPrecondition), 409);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kDataLoss), 500);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kDeadlineExceeded), 504);
}

TEST(WebErrorsTest, BytesThatAreNoTextAreReplaced) {
  EXPECT_THAT(ErrorAnswer(400, "X", "a\xff").body, HasSubstr("a\xef\xbf\xbd"));
}

TEST(EventFrameTest, EndsWithABlankLineAndKeepsLines) {
  EXPECT_EQ(EventFrame("progress", "{}"), "event: progress\ndata: {}\n\n");
  EXPECT_EQ(EventFrame("x", "a\nb"), "event: x\ndata: a\ndata: b\n\n");
  EXPECT_EQ(EventFrame("x", ""), "event: x\ndata: \n\n");
}

}  // namespace
}  // namespace ip2p::gateway
