// An 8-bit RGB picture in memory, rows top to bottom, no padding between rows.
#pragma once

#include <cstdint>
#include <vector>

namespace ip2p {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // height * width * 3, RGB

  bool operator==(const Image&) const = default;
};

}  // namespace ip2p
