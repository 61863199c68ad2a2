#include "common/plot/curve_trail.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(CurveTrailTest, AShortCurveIsItself) {
  CurveTrail trail(4);
  EXPECT_TRUE(trail.X().empty());
  for (int i = 1; i <= 4; ++i) trail.Add(i, 10 * i);
  EXPECT_THAT(trail.X(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(trail.Y(), ElementsAre(10, 20, 30, 40));
}

TEST(CurveTrailTest, ALongOneBecomesMeans) {
  CurveTrail trail(4);
  for (int i = 1; i <= 5; ++i) trail.Add(i, 10 * i);
  EXPECT_THAT(trail.X(), ElementsAre(1.5, 3.5, 5));  // the last is not full yet
  trail.Add(6, 80);
  EXPECT_THAT(trail.X(), ElementsAre(1.5, 3.5, 5.5));
  EXPECT_THAT(trail.Y(), ElementsAre(15, 35, 65));
}

TEST(CurveTrailTest, AMillionValuesStayBounded) {
  CurveTrail trail(64);
  for (int i = 0; i < 1'000'000; ++i) trail.Add(i, 3);
  const std::vector<double> x = trail.X();
  EXPECT_LE(x.size(), 64u);
  EXPECT_GE(x.size(), 32u);
  for (size_t i = 1; i < x.size(); ++i) EXPECT_GT(x[i], x[i - 1]);
  for (const double y : trail.Y()) EXPECT_EQ(y, 3);
}

TEST(CurveTrailTest, WhatIsNotFiniteCountsForNoMean) {
  CurveTrail trail(2);
  trail.Add(1, kNan);
  EXPECT_TRUE(std::isnan(trail.Y()[0]));
  trail.Add(2, 4);
  trail.Add(3, std::numeric_limits<double>::infinity());
  EXPECT_EQ(trail.Y()[0], 4);
  EXPECT_TRUE(std::isnan(trail.Y()[1]));
}

}  // namespace
}  // namespace ip2p
