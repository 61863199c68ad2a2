// `ip2p model`: faults and codes. Whole conversions are in
// tests/parity, where a real model and diffusers are at hand.
#include <gmock/gmock.h>

#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::StartsWith;

class ModelTest : public testing::CliTest {};

TEST_F(ModelTest, WrongFlagsAreUsageFaults) {
  EXPECT_EQ(Run({"model"}), kExitUsage);
  EXPECT_EQ(Run({"model", "inspect"}), kExitUsage);
  EXPECT_EQ(Run({"model", "convert", "a"}), kExitUsage);
  EXPECT_EQ(Run({"model", "convert", "a", "b", "--to", "onnx"}), kExitUsage);
  EXPECT_EQ(Run({"model", "inspect", "a", "--prediction", "sample"}), kExitUsage);
}

TEST_F(ModelTest, WhatIsNoModelIsBadInput) {
  EXPECT_EQ(Run({"model", "inspect", Path("none")}), kExitBadInput);
  const std::string text = Put("text.safetensors", "this is no model");
  EXPECT_EQ(Run({"model", "inspect", text}), kExitBadInput);
  EXPECT_EQ(Run({"model", "convert", text, Path("folder")}), kExitBadInput);
  EXPECT_THAT(err_.str(), StartsWith("ip2p: "));
  EXPECT_EQ(FilesInFolder(), 1u);
}

}  // namespace
}  // namespace ip2p
