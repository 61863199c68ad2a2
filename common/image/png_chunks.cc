// A walk that moves forward by at least 12 bytes a step.
#include "common/image/png_chunks.h"

#include <cstddef>
#include <cstdint>

namespace ip2p::internal {
namespace {

constexpr size_t kSignature = 8;
constexpr size_t kFrame = 12;  // length, name, checksum

}  // namespace

PngChunks ListPngChunks(std::string_view bytes) {
  PngChunks list;
  size_t at = kSignature;
  while (at + kFrame <= bytes.size()) {
    size_t size = 0;
    for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(bytes[at + i]);
    if (size > bytes.size() - at - kFrame) return list;
    list.chunks.push_back({bytes.substr(at + 4, 4), bytes.substr(at + 8, size)});
    if (list.chunks.back().name == "IEND") {
      list.complete = true;
      return list;
    }
    at += size + kFrame;
  }
  return list;
}

}  // namespace ip2p::internal
