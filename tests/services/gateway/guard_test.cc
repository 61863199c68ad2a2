#include "services/gateway/guard.h"

#include "common/base/clock.h"
#include "common/base/trace_parent.h"
#include "gtest/gtest.h"

namespace ip2p::gateway {
namespace {

constexpr char kTokens[] =
    R"({"tokens": [{"name": "web", "token": "0123456789abcdef", "roles": ["edit"]},
                   {"name": "old", "token": "fedcba9876543210", "roles": ["edit"], "expires": "2020-01-01T00:00:00Z"}]})";

Guard TokenGuard() { return Guard(*Authenticator::FromJson(kTokens), {}); }

WebRequest Request(const char* method, NamedValues headers) {
  WebRequest request;
  request.method = method;
  request.headers = std::move(headers);
  request.remote = "10.0.0.7";
  return request;
}

TEST(GuardTest, LoopbackIsReachedByItsOwnNamesOnly) {
  const Guard guard(Authenticator(), DefaultAllowedHosts("127.0.0.1"));
  for (const char* host : {"127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"}) {
    EXPECT_TRUE(guard.CheckOrigin(Request("GET", {{"Host", host}})).ok()) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example:8080", ""}) {
    EXPECT_TRUE(absl::IsPermissionDenied(guard.CheckOrigin(Request("GET", {{"Host", host}})))) << host;
  }
  EXPECT_TRUE(DefaultAllowedHosts("0.0.0.0").empty());
}

TEST(GuardTest, NothingIsWrittenFromAnotherOrigin) {
  const Guard guard(Authenticator(), {});
  const auto check = [&guard](NamedValues headers) {
    headers.emplace_back("Host", "photos.example:8080");
    return guard.CheckOrigin(Request("POST", std::move(headers)));
  };
  EXPECT_TRUE(check({}).ok());  // a program
  EXPECT_TRUE(check({{"Origin", "http://photos.example:8080"}, {"Sec-Fetch-Site", "same-origin"}}).ok());
  EXPECT_TRUE(check({{"Origin", "https://photos.example:8080"}}).ok());  // behind a proxy that ends TLS
  EXPECT_TRUE(absl::IsPermissionDenied(check({{"Origin", "http://evil.example"}})));
  EXPECT_TRUE(absl::IsPermissionDenied(check({{"Origin", "http://photos.example:9090"}})));
  EXPECT_TRUE(absl::IsPermissionDenied(check({{"Origin", "null"}})));
  EXPECT_TRUE(absl::IsPermissionDenied(check({{"Sec-Fetch-Site", "cross-site"}})));
  EXPECT_TRUE(absl::IsPermissionDenied(check({{"Sec-Fetch-Site", "same-site"}})));
}

TEST(GuardTest, ATokenComesInTheHeaderOrInTheCookie) {
  const Guard guard = TokenGuard();
  for (const NamedValues& headers : {NamedValues{{"Authorization", "Bearer 0123456789abcdef"}},
                                     NamedValues{{"authorization", "bearer 0123456789abcdef"}},
                                     NamedValues{{"Cookie", "a=b; ip2p_session=0123456789abcdef; c=d"}}}) {
    WebRequest request = Request("GET", headers);
    EXPECT_TRUE(guard.Identify(request).ok());
    EXPECT_EQ(request.caller, "token:web");
    EXPECT_EQ(request.token, "0123456789abcdef");
  }
}

TEST(GuardTest, AMissingWrongOrExpiredTokenIsRefused) {
  const Guard guard = TokenGuard();
  for (const NamedValues& headers : {NamedValues{}, NamedValues{{"Authorization", "Bearer wrong"}},
                                     NamedValues{{"Authorization", "Basic 0123456789abcdef"}},
                                     NamedValues{{"Cookie", "xip2p_session=0123456789abcdef"}},
                                     NamedValues{{"Authorization", "Bearer fedcba9876543210"}}}) {
    WebRequest request = Request("GET", headers);
    EXPECT_TRUE(absl::IsUnauthenticated(guard.Identify(request)));
  }
}

TEST(GuardTest, WithoutATokenFileATokenIsPassedOnUnjudged) {
  const Guard guard(Authenticator(), {});
  WebRequest request = Request("GET", {{"Authorization", "Bearer of-a-service"}});
  EXPECT_TRUE(guard.Identify(request).ok());
  EXPECT_EQ(request.token, "of-a-service");
  EXPECT_EQ(request.caller, "peer:10.0.0.7");
}

TEST(GuardTest, WordsThatFitNoCookieAreNoTokens) {
  EXPECT_TRUE(IsToken("a.b-c_d~e+f/g="));
  for (const std::string& text : {std::string(), std::string("a b"), std::string("a;b"), std::string("a\nb"),
                                  std::string("\xc3\xa9"), std::string(513, 'a')}) {
    EXPECT_FALSE(IsToken(text));
  }
}

TEST(GuardTest, OnlyAGoodTraceIsPassedOnElseOneBeginsHere) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(TraceParentOf(Request("GET", {{"traceparent", good}})), good);
  for (const char* bad : {"", "00-4bf9-00f0-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}) {
    const std::string made = TraceParentOf(Request("GET", {{"traceparent", bad}}));
    EXPECT_TRUE(IsTraceParent(made)) << made;
    EXPECT_NE(made, bad);
  }
}

}  // namespace
}  // namespace ip2p::gateway
