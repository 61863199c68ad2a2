// Tokens: right, wrong, expired, of the wrong role; and files that make no sense.
#include "common/rpc/auth.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_clock.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] = R"({"tokens": [
  {"name": "web", "token": "web-token-0123456789", "roles": ["edit"]},
  {"name": "operator", "token": "operator-token-0123", "roles": ["admin"]},
  {"name": "trial", "token": "trial-token-01234567", "roles": ["edit"], "expires": "1970-01-01T01:00:00Z"}]})";

class AuthTest : public ::testing::Test {
 protected:
  absl::StatusCode Code(const char* header, Role role) {
    return auth_.CheckToken(header, role).status().code();
  }
  FakeClock clock_;
  Authenticator auth_ = *Authenticator::FromJson(kFile, &clock_);
};

TEST_F(AuthTest, KnownTokensGiveTheirName) {
  EXPECT_EQ(*auth_.CheckToken("Bearer web-token-0123456789", Role::kEdit), "web");
  EXPECT_EQ(*auth_.CheckToken("bearer operator-token-0123", Role::kAdmin), "operator");
  EXPECT_EQ(*auth_.CheckToken("Bearer operator-token-0123", Role::kEdit), "operator");
}

TEST_F(AuthTest, OthersAreUnauthenticated) {
  for (const char* header : {"", "Bearer ", "Bearer web-token-012345678", "Bearer web-token-0123456789x",
                             "Bearer x", "Basic web-token-0123456789", "web-token-0123456789"}) {
    EXPECT_EQ(Code(header, Role::kEdit), absl::StatusCode::kUnauthenticated) << header;
  }
}

TEST_F(AuthTest, TheWrongRoleIsDenied) {
  EXPECT_EQ(Code("Bearer web-token-0123456789", Role::kAdmin), absl::StatusCode::kPermissionDenied);
}

TEST_F(AuthTest, TokensExpire) {
  EXPECT_EQ(*auth_.CheckToken("Bearer trial-token-01234567", Role::kEdit), "trial");
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Code("Bearer trial-token-01234567", Role::kEdit), absl::StatusCode::kUnauthenticated);
}

TEST(AuthFileTest, AllFaultsAreListedAndNoSecretIsShown) {
  const auto auth = Authenticator::FromJson(R"({"tokens": [
      {"name": "", "token": "short-secret", "roles": ["edit"]},
      {"name": "b", "token": "a-secret-long-enough", "roles": ["king"], "expires": "tomorrow"}]})");
  ASSERT_EQ(auth.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(auth.status().message());
  EXPECT_THAT(message, HasSubstr("token 1 has no name"));
  EXPECT_THAT(message, HasSubstr("token 1 has 12 characters; wants at least 16"));
  EXPECT_THAT(message, HasSubstr("token 2 has an unknown role"));
  EXPECT_THAT(message, HasSubstr("token 2 has no roles"));
  EXPECT_THAT(message, HasSubstr("token 2: expires is no RFC 3339 time"));
  EXPECT_THAT(message, Not(HasSubstr("secret")));
}

TEST(AuthFileTest, OddFilesAreRefused) {
  for (const char* text : {"", "[]", "{}", R"({"tokens": []})", R"({"tokens": 3})", R"({"tokens": [3]})",
                           R"({"tokens": [{"name": 3, "token": null, "roles": "edit"}]})"}) {
    EXPECT_FALSE(Authenticator::FromJson(text).ok()) << text;
  }
  EXPECT_EQ(Authenticator::FromFile("/nonexistent").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ip2p
