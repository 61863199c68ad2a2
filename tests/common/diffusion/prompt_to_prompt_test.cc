#include "common/diffusion/prompt_to_prompt.h"

#include <gtest/gtest.h>

namespace ip2p {
namespace {

TEST(SharesMaps, ForTheFirstShareOfTheSteps) {
  int shared = 0;
  for (int step = 0; step < 100; ++step) shared += SharesMaps(0.5, step, 100) ? 1 : 0;
  EXPECT_EQ(shared, 50);  // 49 / 99 < 0.5 < 50 / 99
  EXPECT_TRUE(SharesMaps(0.1, 0, 3));
  EXPECT_FALSE(SharesMaps(0.5, 1, 3));  // strictly above
  EXPECT_TRUE(SharesMaps(0.51, 1, 3));
  EXPECT_FALSE(SharesMaps(1, 2, 3));  // not even a threshold of 1 shares the last step
}

TEST(SharesMaps, Ends) {
  EXPECT_FALSE(SharesMaps(0, 0, 100));
  EXPECT_TRUE(SharesMaps(1e-9, 0, 100));
  EXPECT_TRUE(SharesMaps(0.5, 0, 1));
  EXPECT_FALSE(SharesMaps(0, 0, 1));
}

}  // namespace
}  // namespace ip2p
