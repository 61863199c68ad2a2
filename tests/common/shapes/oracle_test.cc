// The oracle on scenes in every state, and on what is none.
#include "common/shapes/oracle.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/image/decode.h"
#include "common/image/fit.h"
#include "common/shapes/backdrop.h"
#include "common/shapes/compare.h"
#include "common/shapes/draw.h"
#include "gtest/gtest.h"
#include "tests/common/shapes/damage.h"
#include "tests/common/shapes/placed.h"

namespace ip2p::shapes {
namespace {

constexpr uint64_t kSet = 2026;

// How many scenes each test reads; IP2P_ORACLE_SCENES=10000 is the long run, a minute a test.
int64_t Scenes(int64_t quick) {
  const char* const asked = std::getenv("IP2P_ORACLE_SCENES");
  return asked != nullptr ? std::atoll(asked) : quick;
}

// The share of scenes that are read fully right: objects, colours, shapes, places, sizes, background, and
// sure.
template <typename DamageOf>
double ShareRight(int64_t scenes, int side, const DamageOf& damage_of, const Tolerance& tolerance) {
  int64_t right = 0, told = 0;
  for (int64_t i = 0; i < scenes; ++i) {
    const SampledScene sample = SampleScene(kSet, i);
    const Image image = Damaged(DrawScene(sample.placed, side), damage_of(i), static_cast<uint64_t>(i));
    const SceneReading reading = ReadScene(image);
    const std::string fault = DifferenceFromPlaced(reading, sample.placed, tolerance);
    right += fault.empty() ? 1 : 0;
    if (!fault.empty() && told++ < 20) {
      std::cout << "scene " << i << ", " << sample.caption << ": " << fault << "\n";
    }
  }
  std::cout << right << " of " << scenes << " right\n";
  return static_cast<double>(right) / static_cast<double>(scenes);
}

constexpr Tolerance kExact{.place = 1.0 / 128, .size = 1.06};
constexpr Tolerance kRough{.place = 2.5 / 128, .size = 1.12};

TEST(OracleTest, ReadsWhatWasDrawn) {
  EXPECT_EQ(ShareRight(
                Scenes(800), 128, [](int64_t) { return Damage(); }, kExact),
            1);
}

TEST(OracleTest, ReadsOtherSizes) {
  const auto none = [](int64_t) { return Damage(); };
  EXPECT_GE(ShareRight(Scenes(200), 64, none, kRough), 0.99);
  EXPECT_EQ(ShareRight(Scenes(100), 256, none, kExact), 1);
  EXPECT_EQ(ShareRight(Scenes(50), 500, none, kExact), 1);
}

TEST(OracleTest, ReadsThroughNoiseAndJpeg) {
  const auto damage = [](int64_t i) {
    return Damage{.noise = static_cast<double>(i % 9), .jpeg_quality = 60 + static_cast<int>(i * 7 % 40)};
  };
  EXPECT_GE(ShareRight(Scenes(1500), 128, damage, kRough), 0.995);
}

TEST(OracleTest, ReadsThroughBlurShiftAndWarp) {
  const auto damage = [](int64_t i) {
    std::mt19937_64 random(static_cast<uint64_t>(i));
    std::uniform_int_distribution<int> shift(-10, 10);
    return Damage{.warp = 0.5,
                  .blur = 0.3 + static_cast<double>(i % 8) / 10,
                  .shift = {shift(random), shift(random), shift(random)},
                  .noise = 2};
  };
  EXPECT_GE(ShareRight(Scenes(400), 128, damage, kRough), 0.99);
}

// Half the detail gone, outlines that wander by a pixel, colours off: worse than a small autoencoder.
TEST(OracleTest, ReadsSoftReconstructions) {
  const auto damage = [](int64_t i) {
    std::mt19937_64 random(static_cast<uint64_t>(i));
    std::uniform_int_distribution<int> shift(-8, 8);
    return Damage{.warp = 1.0,
                  .blur = 0.8,
                  .coarse = 2,
                  .shift = {shift(random), shift(random), shift(random)},
                  .noise = 3};
  };
  EXPECT_GE(ShareRight(Scenes(300), 128, damage, kRough), 0.98);
}

Image Noise(int side, uint64_t seed) {
  std::mt19937_64 random(seed);
  Image image{.width = side, .height = side};
  for (int i = 0; i < 3 * side * side; ++i) image.pixels.push_back(static_cast<uint8_t>(random() >> 56));
  return image;
}

// From one colour to another, across the picture at some angle.
Image Gradient(const Rgb& from, const Rgb& to, double angle) {
  Image image{.width = 128, .height = 128};
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) {
      const double along = ((x - 64) * std::cos(angle) + (y - 64) * std::sin(angle)) / 128 + 0.5;
      const Rgb rgb = Mix(from, to, static_cast<float>(std::clamp(along, 0.0, 1.0)));
      for (const float level : {rgb.r, rgb.g, rgb.b}) image.pixels.push_back(static_cast<uint8_t>(level));
    }
  }
  return image;
}

Image Photo() {
  std::ifstream in(IP2P_PHOTO, std::ios::binary);
  return DecodeImage(std::string{std::istreambuf_iterator<char>(in), {}})->image;
}

std::string DoubtOf(const Image& image) {
  const SceneReading reading = ReadScene(image);
  EXPECT_LT(reading.confidence, 0.3);
  EXPECT_FALSE(reading.seen());
  return reading.doubt;
}

TEST(HonestyTest, APhotoIsNoScene) {
  const Image photo = Photo();
  EXPECT_THAT(DoubtOf(photo), testing::HasSubstr("background is none of the eight"));
  // Nor is any part of it.
  for (int i = 0; i < 40; ++i) {
    const Box box{.left = 7.0F * static_cast<float>(i), .top = 4.0F * static_cast<float>(i)};
    const Box part{box.left, box.top, box.left + 140, box.top + 140};
    EXPECT_NE(DoubtOf(*ResizeLanczos(photo, {128, 128}, part)), "") << i;
  }
}

TEST(HonestyTest, NoiseIsNoScene) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_THAT(DoubtOf(Noise(128, seed)), testing::HasSubstr("background is none"));
    EXPECT_NE(DoubtOf(Damaged(Noise(128, seed), {.blur = 4}, seed)), "");
  }
}

TEST(HonestyTest, GradientsAreNoScene) {
  for (int i = 0; i < 60; ++i) {
    std::mt19937_64 random(static_cast<uint64_t>(i));
    std::uniform_real_distribution<float> level(0, 255);
    const Rgb from{level(random), level(random), level(random)},
        to{level(random), level(random), level(random)};
    EXPECT_NE(DoubtOf(Gradient(from, to, i)), "");
  }
}

TEST(HonestyTest, AnEmptyBackgroundHasNoObject) {
  for (int background = 0; background < kBackgrounds; ++background) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const SceneReading reading = ReadScene(DrawBackdrop(static_cast<Background>(background), seed, 128));
      EXPECT_EQ(reading.doubt, "no object is there") << background;
      EXPECT_EQ(reading.background, static_cast<Background>(background));
      EXPECT_GT(reading.background_confidence, 0.9);
      EXPECT_TRUE(reading.objects.empty());
      EXPECT_EQ(reading.confidence, 0);
    }
  }
  const Image blank{.width = 128, .height = 128, .pixels = std::vector<uint8_t>(128 * 128 * 3, 90)};
  EXPECT_NE(DoubtOf(blank), "");
}

TEST(HonestyTest, ThreeObjectsAreCounted) {
  PlacedScene placed =
      Placed({{Shape::kStar, Color::kRed}, {Shape::kRing, Color::kBlue}, {Shape::kHeart, Color::kPink}},
             Background::kGrass, {{0.25, 0.25, 0.12}, {0.72, 0.3, 0.13}, {0.5, 0.72, 0.15}});
  const Image image = DrawScene(placed);
  EXPECT_EQ(DoubtOf(image), "3 objects are there; wants one or two");
  const SceneReading reading = ReadScene(image);
  EXPECT_EQ(reading.objects.size(), 3u);
  EXPECT_EQ(reading.background, Background::kGrass);
}

// An ellipse, a bar and a half-moon are none of the eight.
TEST(HonestyTest, OtherShapesAreNotNamed) {
  using Inside = bool (*)(double x, double y);
  const std::pair<const char*, Inside> shapes[] = {
      {"ellipse", [](double x, double y) { return std::hypot(x / 30, y / 15) < 1; }},
      {"bar", [](double x, double y) { return std::abs(x) < 34 && std::abs(y) < 9; }},
      {"half-moon", [](double x, double y) { return std::hypot(x, y) < 24 && std::hypot(x - 13, y) > 22; }},
      {"upside-down triangle", [](double x, double y) { return y > -20 && std::abs(x) * 1.7 < 20 - y; }}};
  for (const auto& [name, inside] : shapes) {
    Image image = DrawBackdrop(Background::kWhite, 0, 128);
    for (int y = 0; y < 128; ++y) {
      for (int x = 0; x < 128; ++x) {
        if (!inside(x - 60, y - 66)) continue;
        uint8_t* const pixel = image.pixels.data() + 3 * (y * 128 + x);
        pixel[0] = 222;
        pixel[1] = 32;
        pixel[2] = 38;
      }
    }
    const SceneReading reading = ReadScene(image);
    EXPECT_FALSE(reading.seen()) << name;
    EXPECT_THAT(reading.doubt, testing::HasSubstr("none of the eight shapes")) << name;
    ASSERT_EQ(reading.objects.size(), 1u);
    EXPECT_EQ(reading.objects[0].color, Color::kRed);
  }
}

TEST(HonestyTest, AColorBetweenTwoIsDoubted) {
  Image image = DrawScene(Placed({{Shape::kCircle, Color::kBlack}}, Background::kWhite, {{0.5, 0.5, 0.2}}));
  for (size_t at = 0; at < image.pixels.size(); at += 3) {
    if (image.pixels[at] > 100) continue;
    image.pixels[at] = 60;  // teal
    image.pixels[at + 1] = 150;
    image.pixels[at + 2] = 160;
  }
  EXPECT_THAT(ReadScene(image).doubt, testing::HasSubstr("none of the ten colours"));
}

TEST(HonestyTest, ClutterIsNotOverlooked) {
  Image image = DrawScene(SampleScene(kSet, 1).placed);
  std::mt19937_64 random(1);
  for (int speck = 0; speck < 60; ++speck) {
    const size_t x = random() % 122, y = random() % 122;
    for (size_t i = 0; i < 25; ++i) {
      uint8_t* const pixel = image.pixels.data() + 3 * ((y + i / 5) * 128 + x + i % 5);
      for (int channel = 0; channel < 3; ++channel) pixel[channel] = static_cast<uint8_t>(random() >> 56);
    }
  }
  EXPECT_FALSE(ReadScene(image).seen());
}

TEST(OracleTest, TouchingObjectsOfTwoColorsAreTwo) {
  const PlacedScene placed = Placed({{Shape::kSquare, Color::kBlue}, {Shape::kCircle, Color::kRed}},
                                    Background::kSand, {{0.3, 0.5, 0.15}, {0.57, 0.5, 0.15}});
  EXPECT_EQ(DifferenceFromPlaced(ReadScene(DrawScene(placed)), placed, kRough), "");
}

TEST(OracleTest, TinyPicturesAreRefused) {
  EXPECT_EQ(ReadScene({}).doubt, "the picture is 0x0; wants at least 32 px a side");
  EXPECT_EQ(ReadScene(Noise(31, 1)).doubt, "the picture is 31x31; wants at least 32 px a side");
}

TEST(OracleTest, OddSidesAreRead) {
  const PlacedScene placed = SampleScene(kSet, 3).placed;
  Image image = DrawScene(placed, 131);
  EXPECT_EQ(DifferenceFromPlaced(ReadScene(image), placed, kRough), "");
  image = CropTopLeft(image, {131, 120});
  EXPECT_EQ(ReadScene(image).background, placed.scene.background);
}

}  // namespace
}  // namespace ip2p::shapes
