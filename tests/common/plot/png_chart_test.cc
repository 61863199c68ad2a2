// The PNG of a chart: the same layout as the SVG's, letters of dots, equal bytes for equal charts.
#include "common/plot/png_chart.h"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "common/image/decode.h"
#include "common/plot/bitmap_font.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using Rgb = std::array<int, 3>;

Image Drawn(const std::vector<Panel>& panels, int columns) {
  return DecodeImage(PngOf(panels, columns).value()).value().image;
}

Rgb At(const Image& image, int x, int y) {
  const size_t at = 3 * (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x));
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

int64_t Ink(const Image& image) {
  int64_t ink = 0;
  for (const uint8_t value : image.pixels) ink += 255 - value;
  return ink;
}

constexpr Rgb kWhite = {255, 255, 255};

TEST(PngOf, IsTwiceTheSvgsSize) {
  const Image image = Drawn({{}, {}, {}}, 2);
  EXPECT_EQ(image.width, 2 * 880);
  EXPECT_EQ(image.height, 2 * 600);
  EXPECT_EQ(PngOf({{}, {}, {}}, 2).value(), PngOf({{}, {}, {}}, 2).value());
  EXPECT_TRUE(absl::IsInvalidArgument(PngOf({}, 2).status()));
}

TEST(PngOf, BarsStandWhereTheSvgHasThem) {
  Panel panel{.title = "scores"};
  panel.series.push_back({.kind = SeriesKind::kBars, .x = {0, 1}, .y = {2, 4}, .bar_width = 1});
  const Image image = Drawn({panel}, 1);
  // In px of the SVG: 64..244 from 144 to 252, and 244..424 from 36 to 252; opacity 0.7 on white.
  const Rgb bar = {124, 160, 196};
  EXPECT_EQ(At(image, 2 * 100, 2 * 200), bar);
  EXPECT_EQ(At(image, 2 * 100, 2 * 140), kWhite);
  EXPECT_EQ(At(image, 2 * 300, 2 * 60), bar);
  EXPECT_EQ(At(image, 2 * 430, 2 * 60), kWhite);
}

TEST(PngOf, ALineGoesThroughItsPointsAndBreaks) {
  Panel panel{.title = "loss"};
  panel.series.push_back({.x = {0, 1, 2, 3}, .y = {0, 1, 1, 0}});
  const Image whole = Drawn({panel}, 1);
  EXPECT_EQ(At(whole, 2 * 244, 2 * 36), (Rgb{0x44, 0x77, 0xaa}));  // the middle of the flat part
  panel.series[0].y[1] = std::numeric_limits<double>::quiet_NaN();
  const Image broken = Drawn({panel}, 1);
  EXPECT_NE(At(broken, 2 * 244, 2 * 36), (Rgb{0x44, 0x77, 0xaa}));
}

TEST(PngOf, MarkersNamesAndLegendsAreInk) {
  Panel panel{.title = "t"};
  panel.series.push_back({.x = {0, 1}, .y = {0, 1}});
  const int64_t plain = Ink(Drawn({panel}, 1));
  panel.series[0].name = "train";
  const int64_t legend = Ink(Drawn({panel}, 1));
  EXPECT_GT(legend, plain);
  panel.markers.push_back({0.5, "threshold"});
  EXPECT_GT(Ink(Drawn({panel}, 1)), legend);
  panel.title = std::string(10'000, 'W');  // runs over the edges
  panel.y_label = panel.title;
  EXPECT_EQ(Drawn({panel}, 1).width, 880);
}

TEST(BitmapFont, EachLetterLooksDifferent) {
  std::set<std::vector<std::pair<int, int>>> seen;
  for (char c = ' '; c <= '~'; ++c) {
    std::vector<std::pair<int, int>> dots;
    for (const Dot& dot : DotsOf(std::string(1, c))) {
      EXPECT_LT(dot.column, kGlyphWidth) << c;
      EXPECT_LT(dot.row, kGlyphBaseline + 2) << c;
      dots.emplace_back(dot.column, dot.row);
    }
    EXPECT_TRUE(seen.insert(dots).second) << c;
  }
}

TEST(BitmapFont, CountsCharactersAndNotBytes) {
  EXPECT_EQ(DotWidth(""), 0);
  EXPECT_EQ(DotWidth("a"), 5);
  EXPECT_EQ(DotWidth("caf\xC3\xA9"), DotWidth("cafe"));
  EXPECT_FALSE(DotsOf("\xE6\x97\xA5").empty());  // a box
  EXPECT_TRUE(DotsOf("\n \x80").empty());
}

}  // namespace
}  // namespace ip2p
