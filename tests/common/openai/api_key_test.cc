#include "common/openai/api_key.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

constexpr const char* kCanary = "sk-canary-0123456789abcdef";

ApiKey Canary() { return *ApiKey::FromText(kCanary); }

TEST(ApiKeyTest, ScrubsTheKeyAndEveryLongPartOfIt) {
  const ApiKey key = Canary();
  EXPECT_EQ(key.Scrub("Incorrect key sk-canary-0123456789abcdef!"), "Incorrect key [key]!");
  EXPECT_EQ(key.Scrub("ends in 89abcdef"), "ends in [key]");
  EXPECT_EQ(key.Scrub("sk-canary-0123456789abcdefsk-canary-0123456789abcdef"), "[key][key]");
  EXPECT_EQ(key.Scrub("x0123456789y 23456789"), "x[key]y [key]");
  EXPECT_EQ(key.Scrub("short sk-cana stays"), "short sk-cana stays");
  EXPECT_EQ(key.Scrub(""), "");
  EXPECT_TRUE(key.IsIn("a 123456789 b"));
  EXPECT_FALSE(key.IsIn("nothing here"));
  EXPECT_EQ(ApiKey().Scrub("as it was"), "as it was");
}

TEST(ApiKeyTest, RefusesOddKeysWithoutShowingThem) {
  for (const std::string text : {"short", "has a blank inside", "has\nnewline-inside",
                                 "gr\xc3\xb6\xc3\x9f"
                                 "er-als-acht"}) {
    const auto key = ApiKey::FromText(text);
    EXPECT_TRUE(absl::IsInvalidArgument(key.status())) << key.status();
    EXPECT_THAT(std::string(key.status().message()), ::testing::Not(::testing::HasSubstr(text)));
  }
  EXPECT_FALSE(ApiKey::FromText(std::string(600, 'k')).ok());
}

TEST(ApiKeyTest, ComesFromTheFileOrTheVariableWhichIsThenGone) {
  setenv("OPENAI_API_KEY", kCanary, 1);
  const auto variable = ApiKey::Load("");
  ASSERT_TRUE(variable.ok());
  EXPECT_EQ(variable->AuthorizationHeader(), std::string("Bearer ") + kCanary);
  EXPECT_EQ(std::getenv("OPENAI_API_KEY"), nullptr);

  const std::string path = ::testing::TempDir() + "/api_key_test_key";
  std::ofstream(path) << "  key-from-a-file\n";
  const auto file = ApiKey::Load(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->AuthorizationHeader(), "Bearer key-from-a-file");

  std::ofstream(path) << " \n";
  EXPECT_TRUE(absl::IsInvalidArgument(ApiKey::Load(path).status()));
  const auto missing = ApiKey::Load(path + ".absent");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()), ::testing::Not(::testing::HasSubstr("absent")));
  std::remove(path.c_str());
}

TEST(ApiKeyTest, NoneIsAllowed) {
  const auto none = ApiKey::Load("");
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(none->AuthorizationHeader(), "");
}

}  // namespace
}  // namespace ip2p
