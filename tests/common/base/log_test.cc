// Logs are JSON, whatever is put into them.
#include "common/base/log.h"

#include <cmath>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    SetLogSink([this](std::string_view line) { lines_.emplace_back(line); });
  }
  ~LogTest() override {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kInfo);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, FieldsKeepTheirTypes) {
  Log(LogLevel::kWarning, "edit done", {{"id", "a\"b\n"}, {"ms", 12}, {"ratio", 0.5}, {"cached", true}});
  ASSERT_EQ(lines_.size(), 1u);
  const auto line = nlohmann::json::parse(lines_[0]);
  EXPECT_EQ(line["event"], "edit done");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["id"], "a\"b\n");
  EXPECT_EQ(line["ms"], 12);
  EXPECT_EQ(line["ratio"], 0.5);
  EXPECT_EQ(line["cached"], true);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
}

TEST_F(LogTest, BytesThatAreNoTextAndNumbersThatAreNoneStayJson) {
  Log(LogLevel::kInfo, "odd", {{"bytes", "\xFF\xFE"}, {"nan", std::nan("")}, {"infinite", INFINITY}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_TRUE(nlohmann::json::accept(lines_[0])) << lines_[0];
}

TEST_F(LogTest, LowerLevelsAreDropped) {
  Log(LogLevel::kDebug, "unseen");
  SetLogLevel(LogLevel::kError);
  Log(LogLevel::kWarning, "unseen");
  EXPECT_TRUE(lines_.empty());
}

}  // namespace
}  // namespace ip2p
