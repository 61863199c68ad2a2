// Progress, its formatting, and names of outputs: pure functions of their arguments.
#include "services/cli/progress.h"

#include <gtest/gtest.h>

#include "services/cli/output_names.h"

namespace ip2p {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(ProgressTest, RateCountsFromTheFirstStep) {
  Progress progress(1, 100);
  EXPECT_EQ(progress.rate(), 0);
  progress.Update(0, 1, kStart);
  EXPECT_EQ(progress.rate(), 0);
  EXPECT_EQ(progress.eta(), absl::ZeroDuration());
  progress.Update(0, 21, kStart + absl::Seconds(10));
  EXPECT_DOUBLE_EQ(progress.rate(), 2.0);
  EXPECT_EQ(progress.eta(), absl::Seconds(79 / 2.0));
}

TEST(ProgressTest, ReportsOfOneBatchAreNoMeasure) {
  Progress progress(2, 10);
  progress.Update(0, 1, kStart);
  progress.Update(1, 1, kStart + absl::Microseconds(30));
  EXPECT_EQ(progress.rate(), 0);
}

TEST(ProgressTest, PicturesAddUp) {
  Progress progress(2, 10);
  progress.Update(0, 4, kStart);
  progress.Update(1, 3, kStart + absl::Seconds(1));
  EXPECT_EQ(progress.done(), 7);
  EXPECT_EQ(progress.total(), 20);
}

TEST(ProgressTest, NonsenseIsIgnored) {
  Progress progress(1, 10);
  progress.Update(0, 5, kStart);
  progress.Update(0, 3, kStart);  // back
  progress.Update(1, 9, kStart);  // no such picture
  progress.Update(-1, 9, kStart);
  EXPECT_EQ(progress.done(), 5);
  progress.Update(0, 1000, kStart);
  EXPECT_EQ(progress.done(), 10);
}

TEST(FormatTest, Clock) {
  EXPECT_EQ(FormatClock(absl::Seconds(7)), "0:07");
  EXPECT_EQ(FormatClock(absl::Seconds(750)), "12:30");
  EXPECT_EQ(FormatClock(absl::Seconds(3723)), "1:02:03");
  EXPECT_EQ(FormatClock(absl::Milliseconds(59600)), "1:00");
  EXPECT_EQ(FormatClock(-absl::Seconds(5)), "0:00");
}

TEST(FormatTest, Bar) {
  Progress progress(1, 100);
  EXPECT_EQ(FormatBar(progress, 80), "[........................................]  0/100");
  progress.Update(0, 1, kStart);
  progress.Update(0, 50, kStart + absl::Seconds(24.5));
  EXPECT_EQ(FormatBar(progress, 80),
            "[####################....................]  50/100  2.0 steps/s  0:25 left");
  EXPECT_EQ(FormatBar(progress, 50), "[########........]  50/100  2.0 steps/s  0:25 left");
  EXPECT_EQ(FormatBar(progress, 20), "50/100  2.0 steps/s ");
  EXPECT_EQ(FormatBar(progress, 0), "");
}

TEST(FormatTest, SlowStepsAreTimedTheOtherWay) {
  Progress progress(1, 10);
  progress.Update(0, 1, kStart);
  progress.Update(0, 3, kStart + absl::Seconds(9));
  EXPECT_EQ(FormatLine(progress), "step 3 of 10, 4.5 s/step, 0:32 left");
}

TEST(OutputPathTest, NumberGoesBeforeTheExtension) {
  EXPECT_EQ(OutputPath("out.png", 0, 1), "out.png");
  EXPECT_EQ(OutputPath("a.b/out.png", 1, 2), "a.b/out-1.png");
  EXPECT_EQ(OutputPath("a.b/out", 1, 2), "a.b/out-1");
  EXPECT_EQ(OutputPath("x.tar.png", 7, 8), "x.tar-7.png");
  EXPECT_EQ(OutputPath("dir/.hidden", 0, 2), "dir/.hidden-0");
  EXPECT_EQ(PreviewPath("p", 1, 25), "p/preview-1-025.png");
}

}  // namespace
}  // namespace ip2p
