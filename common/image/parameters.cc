// Reads the parameters back out of a file's metadata, by walking its chunks. Pixels are never touched.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "common/image/encode.h"
#include "common/image/exif.h"
#include "common/image/png_chunks.h"
#include "common/image/webp_chunks.h"

namespace ip2p {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kKey = "parameters\0"sv;

std::string Latin1ToUtf8(std::string_view latin1) {
  std::string out;
  for (const char c : latin1) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xC0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
  return out;
}

// iTXt after its keyword: compression flag, method, language NUL, translated keyword NUL, UTF-8.
std::optional<std::string> InternationalText(std::string_view rest) {
  if (rest.size() < 2 || rest[0] != 0) return std::nullopt;  // compressed: not ours
  rest.remove_prefix(2);
  for (int i = 0; i < 2; ++i) {
    const size_t nul = rest.find('\0');
    if (nul == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(nul + 1);
  }
  return std::string(rest);
}

std::optional<std::string> FromPng(std::string_view bytes) {
  for (const internal::PngChunk& chunk : internal::ListPngChunks(bytes).chunks) {
    if (!chunk.data.starts_with(kKey)) continue;
    const std::string_view rest = chunk.data.substr(kKey.size());
    if (chunk.name == "tEXt") return Latin1ToUtf8(rest);
    if (chunk.name == "iTXt") return InternationalText(rest);
  }
  return std::nullopt;
}

// Markers before the first scan: FF, code, length, data.
std::optional<std::string> FromJpeg(std::string_view bytes) {
  constexpr uint8_t kExif = 0xE1;
  constexpr uint8_t kStartOfScan = 0xDA;
  size_t at = 2;
  while (at + 4 <= bytes.size() && static_cast<uint8_t>(bytes[at]) == 0xFF) {
    const uint8_t code = static_cast<uint8_t>(bytes[at + 1]);
    if (code == kStartOfScan) break;
    const size_t size =
        static_cast<size_t>(static_cast<uint8_t>(bytes[at + 2])) << 8 | static_cast<uint8_t>(bytes[at + 3]);
    if (size < 2 || size > bytes.size() - at - 2) break;
    const std::string_view data = bytes.substr(at + 4, size - 2);
    if (code == kExif && data.starts_with("Exif\0"sv)) return ParseExif(data).user_comment;
    at += size + 2;
  }
  return std::nullopt;
}

std::optional<std::string> FromWebp(std::string_view bytes) {
  const std::optional<std::string_view> exif = internal::FindWebpChunk(bytes, "EXIF");
  if (!exif) return std::nullopt;
  return ParseExif(*exif).user_comment;
}

}  // namespace

absl::StatusOr<std::string> ReadParameters(std::string_view bytes) {
  IP2P_ASSIGN_OR_RETURN(const ImageFormat format, SniffImageFormat(bytes));
  std::optional<std::string> found;
  switch (format) {
    case ImageFormat::kPng:
      found = FromPng(bytes);
      break;
    case ImageFormat::kJpeg:
      found = FromJpeg(bytes);
      break;
    case ImageFormat::kWebp:
      found = FromWebp(bytes);
      break;
  }
  if (!found) return absl::NotFoundError("image carries no parameters");
  return *std::move(found);
}

}  // namespace ip2p
