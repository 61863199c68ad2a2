#include "common/shapes/palette.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ip2p::shapes {
namespace {

// In the order of Color.
constexpr std::array<Rgb, kColors> kPalette = {{{222, 32, 38},
                                                {255, 132, 0},
                                                {255, 222, 20},
                                                {24, 156, 62},
                                                {26, 96, 230},
                                                {148, 42, 172},
                                                {255, 112, 186},
                                                {122, 72, 34},
                                                {252, 252, 252},
                                                {18, 18, 20}}};

// Four steps a level: pictures that were smoothed have levels between the whole ones.
constexpr int kStepsPerLevel = 4;
constexpr int kSteps = 255 * kStepsPerLevel + 1;

std::array<float, kSteps> MakeLinear() {
  std::array<float, kSteps> linear;
  for (size_t i = 0; i < linear.size(); ++i) {
    const double level = static_cast<double>(i) / (255.0 * kStepsPerLevel);
    linear[i] = static_cast<float>(level <= 0.04045 ? level / 12.92 : std::pow((level + 0.055) / 1.055, 2.4));
  }
  return linear;
}

float Linear(float level) {
  static const std::array<float, kSteps> linear = MakeLinear();
  return linear[static_cast<size_t>(std::clamp(level, 0.0F, 255.0F) * kStepsPerLevel + 0.5F)];
}

float CubeRootOrLine(float t) { return t > 0.008856F ? std::cbrt(t) : t * 7.787F + 16.0F / 116.0F; }

}  // namespace

Rgb RgbOf(Color color) { return kPalette[static_cast<size_t>(color)]; }

Lab LabOf(const Rgb& rgb) {
  const float r = Linear(rgb.r), g = Linear(rgb.g), b = Linear(rgb.b);
  const float x = CubeRootOrLine((0.4124F * r + 0.3576F * g + 0.1805F * b) / 0.9505F);
  const float y = CubeRootOrLine(0.2126F * r + 0.7152F * g + 0.0722F * b);
  const float z = CubeRootOrLine((0.0193F * r + 0.1192F * g + 0.9505F * b) / 1.089F);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

float Difference(const Lab& one, const Lab& other) {
  const float l = one.l - other.l, a = one.a - other.a, b = one.b - other.b;
  return std::sqrt(l * l + a * a + b * b);
}

float ShareOnTheWay(const Rgb& rgb, const Rgb& from, const Rgb& to) {
  const float r = to.r - from.r, g = to.g - from.g, b = to.b - from.b;
  const float along = (rgb.r - from.r) * r + (rgb.g - from.g) * g + (rgb.b - from.b) * b;
  return std::clamp(along / std::max(r * r + g * g + b * b, 1.0F), 0.0F, 1.0F);
}

}  // namespace ip2p::shapes
