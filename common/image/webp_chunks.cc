// A walk over RIFF chunks; each step moves forward by at least a chunk header, so it ends.
#include "common/image/webp_chunks.h"

#include <cstddef>
#include <cstdint>

namespace ip2p::internal {
namespace {

constexpr size_t kContainerHeader = 12;  // "RIFF", size, "WEBP"
constexpr size_t kChunkHeader = 8;

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

std::optional<std::string_view> WebpContainer(std::string_view bytes) {
  if (bytes.size() < kContainerHeader) return std::nullopt;
  const size_t size = static_cast<size_t>(LittleEndian(bytes.substr(4))) + 8;
  if (size < kContainerHeader || size > bytes.size()) return std::nullopt;
  return bytes.substr(0, size);
}

std::optional<std::string_view> FindWebpChunk(std::string_view bytes, std::string_view name) {
  size_t at = kContainerHeader;
  while (at + kChunkHeader <= bytes.size()) {
    const size_t size = LittleEndian(bytes.substr(at + 4));
    if (size > bytes.size() - at - kChunkHeader) return std::nullopt;
    if (bytes.substr(at, 4) == name) return bytes.substr(at + kChunkHeader, size);
    at += kChunkHeader + size + size % 2;
  }
  return std::nullopt;
}

}  // namespace ip2p::internal
