// Charts: round ticks, sound XML whatever the words, equal bytes for equal charts.
#include "common/plot/svg_chart.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Ticks, AreRoundAndCoverTheRange) {
  EXPECT_THAT(Ticks(0, 1, 5), ElementsAre(0, 0.2, 0.4, testing::DoubleEq(0.6), 0.8, 1));
  EXPECT_THAT(Ticks(-30, 20, 5), ElementsAre(-30, -20, -10, 0, 10, 20));
  EXPECT_THAT(Ticks(3, 3, 5), ElementsAre(3));
  for (const double tick : Ticks(-1e-7, 1e-7, 4)) EXPECT_FALSE(tick == 0 && std::signbit(tick));
}

Panel LossPanel() {
  Panel panel{.title = "loss", .x_label = "step", .y_label = "mse"};
  panel.series.push_back({.name = "train", .x = {0, 1, 2, 3}, .y = {1, 0.5, 0.4, 0.3}});
  return panel;
}

TEST(SvgOf, DrawsALineThroughItsPoints) {
  const std::string svg = SvgOf({LossPanel()}, 2);
  EXPECT_THAT(svg, HasSubstr("<polyline points=\"64.0,36.0 "));  // the first point is left and highest
  EXPECT_THAT(svg, HasSubstr(">train</text>"));
  EXPECT_EQ(svg, SvgOf({LossPanel()}, 2));
}

TEST(SvgOf, BreaksTheLineWhereAValueIsMissing) {
  Panel panel = LossPanel();
  panel.series[0].y[1] = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = SvgOf({panel}, 1);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  const size_t first = svg.find("<polyline");
  EXPECT_NE(svg.find("<polyline", first + 1), std::string::npos);
}

TEST(SvgOf, LabelledPointsHaveDotsAndWords) {
  Panel panel = LossPanel();
  panel.series[0].y[1] = std::numeric_limits<double>::quiet_NaN();
  panel.series[0].labels = {"one", "two", "three", "<four>"};
  const std::string svg = SvgOf({panel}, 1);
  // The first point, left and highest, has its word to the right; the last one to the left.
  EXPECT_THAT(svg, HasSubstr("<rect x=\"61.5\" y=\"33.5\" width=\"5.0\" height=\"5.0\""));
  EXPECT_THAT(svg, HasSubstr("x=\"69.0\" y=\"31.0\""));
  EXPECT_THAT(svg, HasSubstr(">one</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">two</text>"))) << "there is no such point";
  EXPECT_THAT(svg, HasSubstr("x=\"419.0\" y=\"247.0\""));
  EXPECT_THAT(svg, HasSubstr(">&lt;four&gt;</text>"));
}

TEST(SvgOf, WordsCannotBecomeMarkup) {
  Panel panel = LossPanel();
  panel.title = "<script>alert(\"1\")</script>&\x01";
  const std::string svg = SvgOf({panel}, 1);
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp; </text>"));
}

TEST(SvgOf, BarsStandOnZeroAndMarkersAreNamed) {
  Panel panel{.title = "scores"};
  panel.series.push_back({.kind = SeriesKind::kBars, .x = {0, 1}, .y = {2, 4}, .bar_width = 1});
  panel.markers.push_back({1.5, "threshold"});
  const std::string svg = SvgOf({panel}, 1);
  // Left half, half as high as the right one, which fills the panel: 216 px.
  EXPECT_THAT(svg, HasSubstr("x=\"64.0\" y=\"144.0\" width=\"180.0\" height=\"108.0\""));
  EXPECT_THAT(svg, HasSubstr("x=\"244.0\" y=\"36.0\" width=\"180.0\" height=\"216.0\""));
  EXPECT_THAT(svg, HasSubstr(">threshold</text>"));
}

TEST(SvgOf, NothingToDrawIsAnEmptyFrame) {
  EXPECT_THAT(SvgOf({Panel{.title = "empty"}}, 3), HasSubstr(">empty</text>"));
  EXPECT_THAT(SvgOf({}, 3), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace ip2p
