#include "common/base/miniature.h"

#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(Miniature, EachPartIsBesideTheProgramsOfABuild) {
  for (const char* part : {"clip", "text-to-image", "edit"}) {
    const absl::StatusOr<std::string> found = FindMiniature(part);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->ends_with(std::string("share/models/shapes/") + part));
  }
}

TEST(Miniature, WhatIsNotThereIsNotFound) {
  const absl::Status status = FindMiniature("upscaler").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "the miniature's upscaler is not installed here");
}

}  // namespace
}  // namespace ip2p
