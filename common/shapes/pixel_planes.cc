#include "common/shapes/pixel_planes.h"

#include <algorithm>

namespace ip2p::shapes {
namespace {

constexpr int kMostSide = 192;

Rgb operator+(const Rgb& one, const Rgb& other) {
  return {one.r + other.r, one.g + other.g, one.b + other.b};
}
Rgb operator*(float factor, const Rgb& rgb) { return {factor * rgb.r, factor * rgb.g, factor * rgb.b}; }

// Means of scale x scale pixels; what is left over on the right and at the bottom is cut off.
std::vector<Rgb> Means(const Image& image, const PixelPlanes& planes) {
  std::vector<Rgb> means;
  means.reserve(static_cast<size_t>(planes.width) * planes.height);
  const float share = 1.0F / static_cast<float>(planes.scale * planes.scale);
  for (int y = 0; y < planes.height; ++y) {
    for (int x = 0; x < planes.width; ++x) {
      int sums[3] = {0, 0, 0};
      for (int dy = 0; dy < planes.scale; ++dy) {
        const size_t at = static_cast<size_t>(y * planes.scale + dy) * image.width + x * planes.scale;
        const uint8_t* pixel = image.pixels.data() + 3 * at;
        for (int dx = 0; dx < planes.scale; ++dx, pixel += 3) {
          for (int channel = 0; channel < 3; ++channel) sums[channel] += pixel[channel];
        }
      }
      means.push_back(
          share * Rgb{static_cast<float>(sums[0]), static_cast<float>(sums[1]), static_cast<float>(sums[2])});
    }
  }
  return means;
}

// 1 2 1 along lines of `count` pixels that are `step` apart; edges repeat.
void SmoothLine(Rgb* line, int count, size_t step) {
  Rgb before = line[0];
  for (int i = 0; i < count; ++i) {
    Rgb& here = line[static_cast<size_t>(i) * step];
    const Rgb after = i + 1 < count ? line[static_cast<size_t>(i + 1) * step] : here;
    const Rgb smooth = 0.25F * (before + 2.0F * here + after);
    before = here;
    here = smooth;
  }
}

}  // namespace

PixelPlanes MakePlanes(const Image& image) {
  PixelPlanes planes;
  planes.scale = std::max(1, (std::max(image.width, image.height) + kMostSide - 1) / kMostSide);
  planes.width = image.width / planes.scale;
  planes.height = image.height / planes.scale;
  planes.rgb = Means(image, planes);
  for (int y = 0; y < planes.height; ++y) {
    SmoothLine(planes.rgb.data() + static_cast<size_t>(y) * planes.width, planes.width, 1);
  }
  for (int x = 0; x < planes.width; ++x) {
    SmoothLine(planes.rgb.data() + x, planes.height, static_cast<size_t>(planes.width));
  }
  planes.lab.reserve(planes.size());
  for (const Rgb& rgb : planes.rgb) planes.lab.push_back(LabOf(rgb));
  return planes;
}

}  // namespace ip2p::shapes
