#include "tests/common/shapes/damage.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

#include "common/image/decode.h"
#include "common/image/encode.h"

namespace ip2p::shapes {
namespace {

uint8_t Level(double value) { return static_cast<uint8_t>(std::clamp(std::round(value), 0.0, 255.0)); }

// Between pixels, bilinear; beyond the edge the edge repeats. Pixel centres are at halves.
double At(const Image& image, double x, double y, int channel) {
  x = std::clamp(x - 0.5, 0.0, image.width - 1.0);
  y = std::clamp(y - 0.5, 0.0, image.height - 1.0);
  const int left = static_cast<int>(x), top = static_cast<int>(y);
  const int right = std::min(left + 1, image.width - 1), bottom = std::min(top + 1, image.height - 1);
  const auto pixel = [&](int column, int row) {
    return static_cast<double>(image.pixels[3 * (static_cast<size_t>(row) * image.width + column) + channel]);
  };
  return std::lerp(std::lerp(pixel(left, top), pixel(right, top), x - left),
                   std::lerp(pixel(left, bottom), pixel(right, bottom), x - left), y - top);
}

Image Each(const Image& image, const std::function<double(int x, int y, int channel)>& value) {
  Image result = image;
  size_t at = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int channel = 0; channel < 3; ++channel) result.pixels[at++] = Level(value(x, y, channel));
    }
  }
  return result;
}

Image Warped(const Image& image, double by, std::mt19937_64& random) {
  std::uniform_real_distribution<double> phase(0, 2 * std::numbers::pi), wave(9, 24);
  double phases[4], waves[4];
  for (int i = 0; i < 4; ++i) {
    phases[i] = phase(random);
    waves[i] = 2 * std::numbers::pi / wave(random);
  }
  const auto wander = [&](int i, int x, int y) {
    return by * std::sin(waves[i] * x + phases[i]) * std::sin(waves[i + 1] * y + phases[i + 1]) *
           std::numbers::sqrt2;
  };
  return Each(image, [&](int x, int y, int channel) {
    return At(image, x + 0.5 + wander(0, x, y), y + 0.5 + wander(2, x, y), channel);
  });
}

Image Blurred(const Image& image, double sigma) {
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  const auto pass = [&](const Image& from, int dx, int dy) {
    return Each(from, [&](int x, int y, int channel) {
      double sum = 0, weights = 0;
      for (int i = -reach; i <= reach; ++i) {
        const double weight = std::exp(-i * i / (2 * sigma * sigma));
        sum += weight * At(from, x + 0.5 + i * dx, y + 0.5 + i * dy, channel);
        weights += weight;
      }
      return sum / weights;
    });
  };
  return pass(pass(image, 1, 0), 0, 1);
}

Image Coarse(const Image& image, int factor) {
  Image small{.width = (image.width + factor - 1) / factor, .height = (image.height + factor - 1) / factor};
  small.pixels.resize(3 * static_cast<size_t>(small.width) * small.height);
  small = Each(small, [&](int x, int y, int channel) {
    double sum = 0;
    for (int i = 0; i < factor * factor; ++i) {
      sum += At(image, x * factor + i % factor + 0.5, y * factor + i / factor + 0.5, channel);
    }
    return sum / (factor * factor);
  });
  return Each(image, [&](int x, int y, int channel) {
    return At(small, (x + 0.5) / factor, (y + 0.5) / factor, channel);
  });
}

}  // namespace

Image Damaged(const Image& image, const Damage& damage, uint64_t seed) {
  std::mt19937_64 random(seed);
  Image result = image;
  if (damage.warp > 0) result = Warped(result, damage.warp, random);
  if (damage.blur > 0) result = Blurred(result, damage.blur);
  if (damage.coarse > 1) result = Coarse(result, damage.coarse);
  std::normal_distribution<double> noise(0, std::max(damage.noise, 1e-9));
  result = Each(result, [&](int x, int y, int channel) {
    const size_t at = 3 * (static_cast<size_t>(y) * result.width + x) + channel;
    return result.pixels[at] + damage.shift[channel] + noise(random);
  });
  if (damage.jpeg_quality == 0) return result;
  const auto jpeg = EncodeImage(result, {.format = ImageFormat::kJpeg, .quality = damage.jpeg_quality});
  return DecodeImage(*jpeg)->image;
}

}  // namespace ip2p::shapes
