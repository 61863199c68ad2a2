// Outlines, layouts and the renderer.
#include "common/shapes/draw.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "common/shapes/backdrop.h"
#include "common/shapes/outline.h"
#include "common/shapes/palette.h"
#include "common/shapes/vocabulary.h"
#include "gtest/gtest.h"
#include "tests/common/shapes/placed.h"

namespace ip2p::shapes {
namespace {

constexpr int64_t kScenes = 3000;

Rgb PixelAt(const Image& image, double x, double y) {
  const size_t at =
      3 * (static_cast<size_t>(y * image.height) * image.width + static_cast<size_t>(x * image.width));
  return {static_cast<float>(image.pixels[at]), static_cast<float>(image.pixels[at + 1]),
          static_cast<float>(image.pixels[at + 2])};
}

TEST(OutlineTest, AreDistances) {
  constexpr double kStep = 0.01;
  for (int i = 0; i < kShapes; ++i) {
    const auto shape = static_cast<Shape>(i);
    for (double y = -1.45; y < 1.45; y += 0.037) {
      for (double x = -1.45; x < 1.45; x += 0.037) {
        const double here = OutlineDistance(shape, x, y);
        // No distance changes faster than the way.
        EXPECT_LE(std::abs(OutlineDistance(shape, x + kStep, y) - here), kStep * 1.0001) << i;
        EXPECT_LE(std::abs(OutlineDistance(shape, x, y + kStep) - here), kStep * 1.0001) << i;
        EXPECT_NEAR(OutlineDistanceFast(shape, x, y), here, 0.02) << i << " at " << x << "," << y;
        EXPECT_TRUE(std::hypot(x, y) <= kReach || here > 0) << i;
      }
    }
    EXPECT_NEAR(OutlineDistance(shape, 0.3, 0.2), OutlineDistance(shape, -0.3, 0.2), 1e-9) << "mirrored";
  }
}

TEST(OutlineTest, MomentsAreThoseOfGeometry) {
  EXPECT_NEAR(MomentsOf(Shape::kCircle).area, M_PI, 1e-3);
  EXPECT_NEAR(MomentsOf(Shape::kCircle).length, 2 * M_PI, 0.02);
  EXPECT_NEAR(MomentsOf(Shape::kSquare).length, 8 * 0.86, 0.02);
  EXPECT_NEAR(MomentsOf(Shape::kRing).length, 2 * M_PI * 2 * 0.79, 0.02);
  EXPECT_NEAR(MomentsOf(Shape::kSquare).area, 4 * 0.86 * 0.86, 1e-3);
  EXPECT_NEAR(MomentsOf(Shape::kDiamond).area, 2 * 0.84 * 1.18, 1e-3);
  EXPECT_NEAR(MomentsOf(Shape::kTriangle).y, (0.66 * 2 - 1.08) / 3, 1e-3);
  for (int i = 0; i < kShapes; ++i) {
    EXPECT_GT(MomentsOf(static_cast<Shape>(i)).area, 1.7);  // none is lost beside another
    EXPECT_NEAR(MomentsOf(static_cast<Shape>(i)).x, 0, 1e-6);
  }
}

TEST(PaletteTest, ColorsAreFarFromEachOtherAndFromTheirBackgrounds) {
  for (int i = 0; i < kColors; ++i) {
    const Lab color = LabOf(RgbOf(static_cast<Color>(i)));
    for (int j = 0; j < i; ++j) {
      EXPECT_GT(Difference(color, LabOf(RgbOf(static_cast<Color>(j)))), 30) << i << " and " << j;
    }
    for (int background = 0; background < kBackgrounds; ++background) {
      const auto behind = static_cast<Background>(background);
      if (Clashes(static_cast<Color>(i), behind)) continue;
      for (double height = 0; height <= 1; height += 0.05) {
        EXPECT_GT(Difference(color, LabOf(BackdropColor(behind, height))), 30)
            << Word(static_cast<Color>(i)) << " on " << Word(behind) << " at " << height;
      }
    }
  }
}

TEST(PaletteTest, LabIsTheStandardsOne) {
  const Lab white = LabOf({255, 255, 255});
  EXPECT_NEAR(white.l, 100, 0.05);
  EXPECT_NEAR(white.a, 0, 0.1);
  EXPECT_NEAR(white.b, 0, 0.1);
  const Lab red = LabOf({255, 0, 0});  // CIE: 53.24, 80.09, 67.20
  EXPECT_NEAR(red.l, 53.24, 0.1);
  EXPECT_NEAR(red.a, 80.09, 0.1);
  EXPECT_NEAR(red.b, 67.20, 0.1);
}

TEST(LayoutTest, ObjectsKeepApartInsideAndAgreeWithTheCaption) {
  std::map<int, int> counts;
  for (int64_t i = 0; i < kScenes; ++i) {
    const SampledScene sample = SampleScene(1, i);
    const PlacedScene& placed = sample.placed;
    ASSERT_EQ(placed.spots.size(), placed.scene.objects.size());
    ++counts[static_cast<int>(placed.spots.size())];
    EXPECT_EQ(ParseCaption(sample.caption)->scene, placed.scene);
    for (size_t object = 0; object < placed.spots.size(); ++object) {
      const Spot& spot = placed.spots[object];
      const double reach = spot.radius * kReach;
      EXPECT_GT(spot.x - reach, 0);
      EXPECT_LT(spot.x + reach, 1);
      EXPECT_GT(spot.y - reach, 0);
      EXPECT_LT(spot.y + reach, 1);
      const Object& told = placed.scene.objects[object];
      EXPECT_EQ(SizeOf(spot.radius), told.size.value_or(SizeOf(spot.radius)));
      EXPECT_EQ(PlaceOf(spot.x, spot.y), told.place.value_or(PlaceOf(spot.x, spot.y)));
    }
    if (placed.spots.size() == 2) {
      const Spot &one = placed.spots[0], &other = placed.spots[1];
      EXPECT_GT(std::hypot(one.x - other.x, one.y - other.y), (one.radius + other.radius) * kReach);
    }
  }
  EXPECT_GT(counts[1], kScenes / 3);
  EXPECT_GT(counts[2], kScenes / 3);
}

TEST(LayoutTest, EveryTwoPlacesAndSizesFit) {
  for (int first = 0; first < kPlaces; ++first) {
    for (int second = 0; second < kPlaces; ++second) {
      Scene scene{{{Shape::kStar, Color::kRed, Size::kLarge, static_cast<Place>(first)},
                   {Shape::kRing, Color::kBlue, Size::kLarge, static_cast<Place>(second)}}};
      const auto placed = LayOut(scene, 5);
      EXPECT_EQ(placed.ok(), first != second) << first << " and " << second << ": " << placed.status();
    }
  }
}

TEST(LayoutTest, SaysWhatDoesNotFit) {
  EXPECT_EQ(LayOut({}, 1).status().message(), "the scene has 0 objects; wants one or two");
  EXPECT_EQ(LayOut({.objects = std::vector<Object>(3)}, 1).status().message(),
            "the scene has 3 objects; wants one or two");
  const Scene crowded =
      ParseCaption("a large red star in the centre and a large blue star in the centre")->scene;
  EXPECT_THAT(std::string(LayOut(crowded, 1).status().message()), testing::HasSubstr("do not fit where"));
}

TEST(DrawTest, TheSameForASeedAndAnotherForAnother) {
  const PlacedScene placed = SampleScene(3, 14).placed;
  EXPECT_EQ(DrawScene(placed), DrawScene(SampleScene(3, 14).placed));
  std::set<std::string> pictures;
  for (int64_t i = 0; i < 100; ++i) {
    const Image image = DrawScene(SampleScene(3, i).placed, 48);
    pictures.insert(std::string(image.pixels.begin(), image.pixels.end()));
  }
  EXPECT_EQ(pictures.size(), 100u);
}

TEST(DrawTest, ColorsAreWhereTheSceneHasThem) {
  for (int side : {33, 64, 128, 300}) {
    const PlacedScene placed = Placed({{Shape::kSquare, Color::kBlue}, {Shape::kRing, Color::kRed}},
                                      Background::kSand, {{0.25, 0.3, 0.15}, {0.7, 0.7, 0.18}});
    const Image image = DrawScene(placed, side);
    ASSERT_EQ(image.width, side);
    ASSERT_EQ(image.height, side);
    const auto away = [&](double x, double y, const Rgb& wanted) {
      return Difference(LabOf(PixelAt(image, x, y)), LabOf(wanted));
    };
    EXPECT_LT(away(0.25, 0.3, RgbOf(Color::kBlue)), 1);
    EXPECT_LT(away(0.7, 0.7 - 0.79 * 0.18, RgbOf(Color::kRed)), 1);
    EXPECT_LT(away(0.7, 0.7, BackdropColor(Background::kSand, 0.7)), 5) << "a ring is hollow";
    EXPECT_LT(away(0.02, 0.97, BackdropColor(Background::kSand, 0.97)), 5);
  }
}

// An object's edge has levels between: as many pixels, by their shares, as its area.
TEST(DrawTest, EdgesAreSmooth) {
  for (int i = 0; i < kShapes; ++i) {
    const PlacedScene placed =
        Placed({{static_cast<Shape>(i), Color::kBlack}}, Background::kWhite, {{0.503, 0.497, 0.2}});
    const Image image = DrawScene(placed, 100);
    double area = 0;
    int between = 0;
    for (size_t at = 0; at < image.pixels.size(); at += 3) {
      const double share = (250.0 - image.pixels[at]) / (250.0 - 18.0);
      area += share;
      if (share > 0.1 && share < 0.9) ++between;
    }
    EXPECT_NEAR(area / (20 * 20), MomentsOf(static_cast<Shape>(i)).area, 0.01) << i;
    EXPECT_GT(between, 30) << i;
  }
}

TEST(BackdropTest, TexturesAreFaintAndDifferBySeed) {
  for (const Background background : {Background::kGrass, Background::kSand, Background::kNight}) {
    const Image one = DrawBackdrop(background, 1, 128);
    EXPECT_NE(one, DrawBackdrop(background, 2, 128));
    double squares = 0;
    for (int y = 0; y < 128; ++y) {
      const Rgb plain = BackdropColor(background, (y + 0.5) / 128);
      for (int x = 0; x < 128; ++x) {
        const uint8_t* const pixel = one.pixels.data() + 3 * (y * 128 + x);
        squares += std::pow(pixel[1] - plain.g, 2);
      }
    }
    EXPECT_LT(std::sqrt(squares / (128 * 128)), 8);  // levels
  }
  for (const Background background : {Background::kWhite, Background::kSky, Background::kSunset}) {
    EXPECT_EQ(DrawBackdrop(background, 1, 40), DrawBackdrop(background, 2, 40));
  }
}

}  // namespace
}  // namespace ip2p::shapes
