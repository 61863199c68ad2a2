#include "common/shapes/draw.h"

#include <algorithm>
#include <cmath>

#include "common/shapes/backdrop.h"
#include "common/shapes/outline.h"
#include "common/shapes/palette.h"

namespace ip2p::shapes {
namespace {

void Paint(const Object& object, const Spot& spot, Image& image) {
  const int side = image.width;
  const double radius = spot.radius * side;
  const double centre_x = spot.x * side, centre_y = spot.y * side;
  const double reach = radius * kReach + 1;
  const auto first = [](double at) { return std::max(0, static_cast<int>(std::floor(at))); };
  const auto last = [side](double at) { return std::min(side - 1, static_cast<int>(std::ceil(at))); };
  const Rgb color = RgbOf(object.color);
  for (int y = first(centre_y - reach); y <= last(centre_y + reach); ++y) {
    for (int x = first(centre_x - reach); x <= last(centre_x + reach); ++x) {
      // In pixels; what the pixel's square covers is a line's share of it, near enough.
      const double distance = radius * OutlineDistance(object.shape, (x + 0.5 - centre_x) / radius,
                                                       (y + 0.5 - centre_y) / radius);
      const auto share = static_cast<float>(std::clamp(0.5 - distance, 0.0, 1.0));
      if (share <= 0) continue;
      uint8_t* const pixel = image.pixels.data() + 3 * (static_cast<size_t>(y) * side + x);
      const Rgb mixed =
          Mix({static_cast<float>(pixel[0]), static_cast<float>(pixel[1]), static_cast<float>(pixel[2])},
              color, share);
      pixel[0] = static_cast<uint8_t>(mixed.r + 0.5F);
      pixel[1] = static_cast<uint8_t>(mixed.g + 0.5F);
      pixel[2] = static_cast<uint8_t>(mixed.b + 0.5F);
    }
  }
}

}  // namespace

Image DrawScene(const PlacedScene& placed, int side) {
  Image image = DrawBackdrop(placed.scene.background, placed.texture_seed, side);
  for (size_t i = 0; i < placed.scene.objects.size(); ++i) {
    Paint(placed.scene.objects[i], placed.spots[i], image);
  }
  return image;
}

}  // namespace ip2p::shapes
