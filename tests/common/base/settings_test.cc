// Settings: four places, their order, and all faults at once.
#include "common/base/settings.h"

#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() : settings_("a program") {
    settings_.Add("listen", &listen_, "where");
    settings_.Add("queue_limit", &queue_limit_, 1, 100, "how many");
    settings_.Add("drain_seconds", &drain_, 0, 60, "how long");
    settings_.Add("verbose", &verbose_, "say more");
    settings_.Add("model", &models_, "which");
  }

  absl::StatusOr<Settings::Outcome> Load(const std::vector<std::string>& args) {
    return settings_.Load(args, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }
  std::string WriteFile(const std::string& text) {
    const std::string path =
        absl::StrCat(::testing::TempDir(), "/settings_",
                     ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".json");
    std::ofstream(path) << text;
    return path;
  }

  std::string listen_ = "default";
  int queue_limit_ = 16;
  double drain_ = 5;
  bool verbose_ = false;
  std::vector<std::string> models_;
  std::map<std::string, std::string> environment_;
  Settings settings_;
};

TEST_F(SettingsTest, NothingGivenLeavesDefaults) {
  ASSERT_TRUE(Load({}).ok());
  EXPECT_EQ(listen_, "default");
  EXPECT_EQ(queue_limit_, 16);
}

TEST_F(SettingsTest, FlagWinsOverVariableWinsOverFile) {
  const std::string file =
      WriteFile(R"({"listen": "file", "queue_limit": 2, "drain_seconds": 1.5, "verbose": true})");
  environment_ = {{"IP2P_LISTEN", "variable"}, {"IP2P_QUEUE_LIMIT", "3"}};
  ASSERT_TRUE(Load({"--config", file, "--listen=flag"}).ok());
  EXPECT_EQ(listen_, "flag");
  EXPECT_EQ(queue_limit_, 3);
  EXPECT_EQ(drain_, 1.5);
  EXPECT_TRUE(verbose_);
}

TEST_F(SettingsTest, TheVariableNamesTheFileToo) {
  environment_ = {{"IP2P_CONFIG", WriteFile(R"({"listen": "file"})")}};
  ASSERT_TRUE(Load({}).ok());
  EXPECT_EQ(listen_, "file");
}

TEST_F(SettingsTest, ListsComeFromRepeatedFlagsCommasAndArrays) {
  ASSERT_TRUE(Load({"--model", "a=1", "--model=b=2"}).ok());
  EXPECT_THAT(models_, ElementsAre("a=1", "b=2"));
  environment_ = {{"IP2P_MODEL", "c=3,d=4"}};
  ASSERT_TRUE(Load({}).ok());
  EXPECT_THAT(models_, ElementsAre("c=3", "d=4"));
  environment_.clear();
  ASSERT_TRUE(Load({"--config", WriteFile(R"({"model": ["e=5", "f=6"]})")}).ok());
  EXPECT_THAT(models_, ElementsAre("e=5", "f=6"));
}

TEST_F(SettingsTest, SwitchesStandAloneOrWithAValue) {
  ASSERT_TRUE(Load({"--verbose", "--listen", "x"}).ok());
  EXPECT_TRUE(verbose_);
  EXPECT_EQ(listen_, "x");
  ASSERT_TRUE(Load({"--verbose=false"}).ok());
  EXPECT_FALSE(verbose_);
}

TEST_F(SettingsTest, AllFaultsAreListedWithTheirPlace) {
  environment_ = {{"IP2P_DRAIN_SECONDS", "nan"}};
  const auto outcome =
      Load({"--queue-limit", "0", "--nonsense", "--config", WriteFile(R"({"speed": 1, "listen": {}})")});
  ASSERT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(outcome.status().message());
  EXPECT_THAT(message,
              HasSubstr("queue_limit (from --queue-limit) is \"0\"; wants a whole number in 1..100"));
  EXPECT_THAT(message,
              HasSubstr("drain_seconds (from IP2P_DRAIN_SECONDS) is \"nan\"; wants a number in 0..60"));
  EXPECT_THAT(message, HasSubstr("\"--nonsense\" is unknown"));
  EXPECT_THAT(message, HasSubstr("\"speed\" in the config file is unknown"));
  EXPECT_THAT(message, HasSubstr("\"listen\" in the config file is a JSON object"));
}

TEST_F(SettingsTest, BadFilesAreFaults) {
  EXPECT_FALSE(Load({"--config", "/nonexistent/file"}).ok());
  EXPECT_FALSE(Load({"--config", WriteFile("[1, 2]")}).ok());
  EXPECT_FALSE(Load({"--config", WriteFile("{\"listen\": ")}).ok());
  EXPECT_FALSE(Load({"--listen"}).ok());
}

TEST_F(SettingsTest, HelpAndVersionStopEverythingElse) {
  EXPECT_EQ(*Load({"--help", "--nonsense"}), Settings::Outcome::kHelp);
  EXPECT_EQ(*Load({"--version"}), Settings::Outcome::kVersion);
  EXPECT_THAT(settings_.Help(), HasSubstr("--queue-limit            how many (default 16)"));
}

}  // namespace
}  // namespace ip2p
