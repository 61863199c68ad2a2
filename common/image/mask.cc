// The feather is an exact Euclidean distance, cut off at its width: along the rows first, then the squares'
// least sums along the columns, row by row, so that the compiler can take many pixels at a time.
#include "common/image/mask.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

namespace ip2p {
namespace {

constexpr uint8_t kEdit = 255;
constexpr int kMidGrey = 128;

// ITU-R BT.601, in Pillow's rounding.
int Luma(const uint8_t* rgb) { return (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16; }

// Distance of each pixel to the nearest kept one of its row, at most `cap`.
void RowDistances(std::span<const uint8_t> row, int cap, std::span<uint8_t> distances) {
  int distance = cap;
  for (size_t x = 0; x < row.size(); ++x) {
    distance = row[x] == 0 ? 0 : std::min(distance + 1, cap);
    distances[x] = static_cast<uint8_t>(distance);
  }
  distance = cap;
  for (size_t x = row.size(); x-- > 0;) {
    distance = row[x] == 0 ? 0 : std::min(distance + 1, cap);
    distances[x] = static_cast<uint8_t>(std::min<int>(distances[x], distance));
  }
}

// By squared distance, up to `cap` squared.
std::vector<uint8_t> Shares(int cap) {
  std::vector<uint8_t> shares(static_cast<size_t>(cap) * cap + 1);
  for (size_t square = 0; square < shares.size(); ++square) {
    shares[square] = static_cast<uint8_t>(std::lround(std::sqrt(static_cast<double>(square)) / cap * kEdit));
  }
  return shares;
}

}  // namespace

Mask MaskFromImage(const Image& image) {
  Mask mask{image.width, image.height, std::vector<uint8_t>(image.pixels.size() / 3)};
  for (size_t i = 0; i < mask.values.size(); ++i) {
    mask.values[i] = Luma(&image.pixels[3 * i]) >= kMidGrey ? kEdit : 0;
  }
  return mask;
}

Image MaskImage(const Mask& mask) {
  Image image{mask.width, mask.height, std::vector<uint8_t>(mask.values.size() * 3)};
  for (size_t i = 0; i < mask.values.size(); ++i) {
    if (mask.values[i] != 0) std::memset(&image.pixels[3 * i], 255, 3);
  }
  return image;
}

bool EditsAnything(const Mask& mask) {
  return std::any_of(mask.values.begin(), mask.values.end(), [](uint8_t value) { return value != 0; });
}

Mask FeatherInwards(const Mask& mask, int feather) {
  const int cap = std::clamp(feather, 0, kMaxMaskFeather) + 1;
  const size_t width = static_cast<size_t>(mask.width);
  const auto row_of = [width](auto& values, int y) { return std::span(values).subspan(width * y, width); };
  std::vector<uint8_t> distances(mask.values.size());
  for (int y = 0; y < mask.height; ++y) RowDistances(row_of(mask.values, y), cap, row_of(distances, y));

  const std::vector<uint8_t> shares = Shares(cap);
  Mask share{mask.width, mask.height, std::vector<uint8_t>(mask.values.size())};
  std::vector<int16_t> squares(width);  // at most 65 squared
  for (int y = 0; y < mask.height; ++y) {
    std::fill(squares.begin(), squares.end(), static_cast<int16_t>(cap * cap));
    for (int near = std::max(0, y - cap); near <= std::min(mask.height - 1, y + cap); ++near) {
      const uint8_t* along = &distances[width * near];
      const int down = (near - y) * (near - y);
      for (size_t x = 0; x < width; ++x) {
        squares[x] = std::min(squares[x], static_cast<int16_t>(along[x] * along[x] + down));
      }
    }
    uint8_t* out = &share.values[width * y];
    for (size_t x = 0; x < width; ++x) out[x] = shares[squares[x]];
  }
  return share;
}

Image Composite(const Image& photo, Image edit, const Mask& share) {
  for (size_t i = 0; i < share.values.size(); ++i) {
    const int mine = share.values[i];
    if (mine == kEdit) continue;
    for (size_t c = 3 * i; c < 3 * i + 3; ++c) {
      edit.pixels[c] =
          static_cast<uint8_t>((edit.pixels[c] * mine + photo.pixels[c] * (kEdit - mine) + 127) / kEdit);
    }
  }
  return edit;
}

}  // namespace ip2p
