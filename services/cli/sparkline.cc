#include "services/cli/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace ip2p {
namespace {

constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<const char*, 4> kAscii = {"_", ".", "-", "^"};

}  // namespace

std::string Sparkline(const std::vector<double>& values, size_t width, bool unicode) {
  const std::span<const double> shown = std::span(values).last(std::min(width, values.size()));
  const std::span<const char* const> bars = unicode ? std::span<const char* const>(kBlocks) : kAscii;
  double low = INFINITY, high = -INFINITY;
  for (const double value : shown) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  std::string line;
  for (const double value : shown) {
    if (!std::isfinite(value)) {
      line += " ";
      continue;
    }
    const double share = high > low ? (value - low) / (high - low) : 0;  // a flat curve lies at the bottom
    const auto last = static_cast<double>(bars.size() - 1);
    line += bars[static_cast<size_t>(std::lround(share * last))];
  }
  return line;
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // not the rest of a character
  }));
}

}  // namespace ip2p
