// Which commands start ip2p-torch, and what is said when it isn't there.
#include <gmock/gmock.h>

#include "common/image/encode.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Variable;

class TorchTest : public testing::CliTest {
 protected:
  TorchTest() {
    torch_ = nullptr;
    stdin_ = *EncodeImage(Image{8, 8, std::vector<uint8_t>(8 * 8 * 3, 90)});
  }

  std::vector<std::string> Edit(const std::string& instruction, const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"edit", "-i", "-", "-o", Path("out.png"), "-e", instruction};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
};

TEST_F(TorchTest, EditInThisProcessIsPassedOnAsItIs) {
  for (const auto& model : {std::vector<std::string>{"--ckpt", "some model"}, {}}) {
    const std::vector<std::string> args = Edit("make it snow", model);
    EXPECT_EQ(Run(args), kExitOk);
    EXPECT_EQ(passed_on_, args);
  }
}

TEST_F(TorchTest, WrongFlagsAreToldBefore) {
  EXPECT_EQ(Run(Edit("make it snow", {"--ckpt", "m", "--sampler", "magic"})), kExitUsage);
  EXPECT_THAT(passed_on_, IsEmpty());
}

TEST_F(TorchTest, TheRestNeedsNone) {
  EXPECT_EQ(Run(Edit("", {"--ckpt", "some model"})), kExitOk);
  EXPECT_TRUE(Exists("out.png"));
  EXPECT_EQ(Run(Edit("make it snow", {"--server", "127.0.0.1:1", "--timeout", "5"})), kExitUnavailable);
  EXPECT_EQ(Run({"model", "inspect", Path("none")}), kExitBadInput);
  EXPECT_THAT(passed_on_, IsEmpty());
}

TEST_F(TorchTest, WhatIsMissingIsNamed) {
  const Variable elsewhere("IP2P_TORCH_PROGRAM", Path("nothing"));
  const absl::Status status = BecomeTorchProgram({"edit"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("nothing cannot be run: No such file"));
}

TEST_F(TorchTest, AProgramDoesNotBecomeItself) {
  const Variable itself("IP2P_TORCH_PROGRAM", "/proc/self/exe");
  EXPECT_THAT(BecomeTorchProgram({"edit"}).message(), HasSubstr("it is this program"));
}

}  // namespace
}  // namespace ip2p
