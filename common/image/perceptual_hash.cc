#include "common/image/perceptual_hash.h"

#include <algorithm>
#include <cstddef>

namespace ip2p {
namespace {

constexpr int kColumns = 9;
constexpr int kRows = 8;
constexpr int64_t kNoise = 2;

// 1000 times the brightness (BT.601), so that it stays whole.
int64_t Luma(const uint8_t* pixel) { return 299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]; }

// The cell's mean. A picture smaller than the grid repeats its pixels.
int64_t CellMean(const Image& image, int column, int row) {
  const auto edge = [](int cell, int cells, int size) {
    return static_cast<int>(int64_t{cell} * size / cells);
  };
  const int x0 = edge(column, kColumns, image.width);
  const int y0 = edge(row, kRows, image.height);
  const int x1 = std::max(x0 + 1, edge(column + 1, kColumns, image.width));
  const int y1 = std::max(y0 + 1, edge(row + 1, kRows, image.height));
  int64_t sum = 0;
  for (int y = y0; y < y1; ++y) {
    const uint8_t* pixel =
        image.pixels.data() +
        (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x0)) * 3;
    for (int x = x0; x < x1; ++x, pixel += 3) sum += Luma(pixel);
  }
  return sum / (int64_t{x1 - x0} * (y1 - y0));
}

}  // namespace

uint64_t DifferenceHash(const Image& image) {
  if (image.width <= 0 || image.height <= 0) return 0;
  uint64_t hash = 0;
  for (int row = 0; row < kRows; ++row) {
    int64_t left = CellMean(image, 0, row);
    for (int column = 1; column < kColumns; ++column) {
      const int64_t here = CellMean(image, column, row);
      hash = (hash << 1) | (here > left + kNoise * 1000 ? 1U : 0U);
      left = here;
    }
  }
  return hash;
}

}  // namespace ip2p
