#include "common/shapes/backdrop.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "common/base/permutation.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

struct Stop {
  double height;
  Rgb color;
};

std::span<const Stop> StopsOf(Background background) {
  static constexpr Stop kWhite[] = {{0, {250, 250, 250}}};
  static constexpr Stop kGrey[] = {{0, {150, 150, 150}}};
  static constexpr Stop kBlack[] = {{0, {12, 12, 13}}};
  static constexpr Stop kSky[] = {{0, {70, 148, 228}}, {1, {148, 201, 244}}};
  static constexpr Stop kGrass[] = {{0, {134, 194, 92}}, {1, {92, 158, 62}}};
  static constexpr Stop kSand[] = {{0, {228, 199, 149}}, {1, {208, 174, 124}}};
  static constexpr Stop kNight[] = {{0, {10, 14, 46}}, {1, {36, 46, 104}}};
  static constexpr Stop kSunset[] = {{0, {112, 86, 150}}, {0.5, {226, 120, 114}}, {1, {255, 192, 116}}};
  switch (background) {
    case Background::kWhite:
      return kWhite;
    case Background::kGrey:
      return kGrey;
    case Background::kBlack:
      return kBlack;
    case Background::kSky:
      return kSky;
    case Background::kGrass:
      return kGrass;
    case Background::kSand:
      return kSand;
    case Background::kNight:
      return kNight;
    case Background::kSunset:
      return kSunset;
  }
  return kWhite;
}

// A number of 0..1 for a point of a grid.
double LatticeValue(uint64_t seed, int64_t column, int64_t row) {
  return static_cast<double>(MixSeed(seed, static_cast<uint64_t>(column), static_cast<uint64_t>(row)) >> 40) /
         static_cast<double>(1 << 24);
}

// Value noise of -1..1 with one knot a unit.
double Noise(uint64_t seed, double x, double y) {
  const double left = std::floor(x), top = std::floor(y);
  const auto ease = [](double t) { return t * t * (3 - 2 * t); };
  const double across = ease(x - left), down = ease(y - top);
  const auto at = [&](int dx, int dy) {
    return LatticeValue(seed, static_cast<int64_t>(left) + dx, static_cast<int64_t>(top) + dy);
  };
  return 2 * std::lerp(std::lerp(at(0, 0), at(1, 0), across), std::lerp(at(0, 1), at(1, 1), across), down) -
         1;
}

// Levels that the texture adds at a point of the unit square.
double Texture(Background background, uint64_t seed, double x, double y) {
  constexpr double kBlade = 8, kRipple = 5;
  if (background == Background::kGrass) {
    // Blades are many times as high as wide.
    return kBlade * (0.7 * Noise(seed, x * 36, y * 9) + 0.3 * Noise(seed + 1, x * 8, y * 8));
  }
  if (background == Background::kSand) {
    const double bent = y + 0.03 * Noise(seed, x * 3, y * 2);
    return kRipple * std::sin(2 * std::numbers::pi * (bent * 9 + 0.6 * Noise(seed + 1, x * 2, y * 2)));
  }
  return 0;
}

struct Star {
  double x, y, radius;  // in the unit square
  float light;          // share of white
};

std::vector<Star> StarsOf(uint64_t seed) {
  constexpr int kStars = 14;
  constexpr double kApart = 0.1;
  constexpr int kFine = 1 << 20;
  Dice dice(seed);
  const auto draw = [&dice] { return static_cast<double>(dice.Roll(kFine)) / kFine; };
  std::vector<Star> stars;
  for (int tries = 0; static_cast<int>(stars.size()) < kStars && tries < 40 * kStars; ++tries) {
    const Star star{.x = 0.02 + 0.96 * draw(),
                    .y = 0.02 + 0.96 * draw(),
                    .radius = 0.006 + 0.004 * draw(),
                    .light = 0.5F + 0.4F * static_cast<float>(draw())};
    const auto near = [&star](const Star& other) {
      return std::hypot(star.x - other.x, star.y - other.y) < kApart;
    };
    if (std::none_of(stars.begin(), stars.end(), near)) stars.push_back(star);
  }
  return stars;
}

uint8_t Level(double value) { return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); }

void Put(Image& image, int x, int y, const Rgb& rgb) {
  uint8_t* const pixel = image.pixels.data() + 3 * (static_cast<size_t>(y) * image.width + x);
  pixel[0] = Level(rgb.r);
  pixel[1] = Level(rgb.g);
  pixel[2] = Level(rgb.b);
}

void DrawStars(uint64_t seed, Image& image) {
  const int side = image.width;
  for (const Star& star : StarsOf(seed)) {
    const double reach = star.radius * side + 1;
    const double centre_x = star.x * side, centre_y = star.y * side;
    for (int y = std::max(0, static_cast<int>(centre_y - reach));
         y < std::min(side, static_cast<int>(centre_y + reach) + 1); ++y) {
      for (int x = std::max(0, static_cast<int>(centre_x - reach));
           x < std::min(side, static_cast<int>(centre_x + reach) + 1); ++x) {
        const double distance = std::hypot(x + 0.5 - centre_x, y + 0.5 - centre_y) - star.radius * side;
        const float share = star.light * static_cast<float>(std::clamp(0.5 - distance, 0.0, 1.0));
        if (share <= 0) continue;
        Put(image, x, y, Mix(BackdropColor(Background::kNight, (y + 0.5) / side), {255, 252, 235}, share));
      }
    }
  }
}

}  // namespace

Rgb BackdropColor(Background background, double height) {
  const std::span<const Stop> stops = StopsOf(background);
  for (size_t i = 1; i < stops.size(); ++i) {
    if (height > stops[i].height && i + 1 < stops.size()) continue;
    const double share = (height - stops[i - 1].height) / (stops[i].height - stops[i - 1].height);
    return Mix(stops[i - 1].color, stops[i].color, static_cast<float>(std::clamp(share, 0.0, 1.0)));
  }
  return stops[0].color;
}

Image DrawBackdrop(Background background, uint64_t seed, int side) {
  Image image{.width = side, .height = side};
  image.pixels.resize(3 * static_cast<size_t>(side) * side);
  for (int y = 0; y < side; ++y) {
    const double height = (y + 0.5) / side;
    const Rgb plain = BackdropColor(background, height);
    for (int x = 0; x < side; ++x) {
      const auto more = static_cast<float>(Texture(background, seed, (x + 0.5) / side, height));
      Put(image, x, y, {plain.r + more, plain.g + more, plain.b + more});
    }
  }
  if (background == Background::kNight) DrawStars(seed, image);
  return image;
}

}  // namespace ip2p::shapes
