// A bounded reader of TIFF directories and a writer of one fixed layout.
#include "common/image/exif.h"

#include <cstdint>

#include "common/image/utf16.h"

namespace ip2p {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kPrefix = "Exif\0\0"sv;
constexpr std::string_view kAscii = "ASCII\0\0\0"sv;
constexpr std::string_view kUnicode = "UNICODE\0"sv;
constexpr uint16_t kOrientation = 0x0112;
constexpr uint16_t kExifDirectory = 0x8769;
constexpr uint16_t kUserComment = 0x9286;
constexpr uint16_t kShort = 3;
constexpr uint16_t kLong = 4;
constexpr uint16_t kUndefined = 7;
constexpr size_t kEntryBytes = 12;

// Bounds-checked reads in the byte order that the header names; out of range reads give nothing.
class TiffReader {
 public:
  explicit TiffReader(std::string_view bytes) : bytes_(bytes), big_(bytes.substr(0, 2) == "MM") {}

  bool big_endian() const { return big_; }

  std::optional<uint32_t> Read(size_t offset, size_t size) const {
    const std::optional<std::string_view> raw = Slice(offset, size);
    if (!raw) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<uint8_t>((*raw)[big_ ? i : size - 1 - i]);
    }
    return value;
  }

  std::optional<std::string_view> Slice(size_t offset, size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return std::nullopt;
    return bytes_.substr(offset, size);
  }

  // The offset of the entry of `tag` in the directory at `offset`.
  std::optional<size_t> FindEntry(size_t offset, uint16_t tag) const {
    const uint32_t count = Read(offset, 2).value_or(0);
    for (uint32_t i = 0; i < count; ++i) {
      const size_t entry = offset + 2 + i * kEntryBytes;
      const std::optional<uint32_t> found = Read(entry, 2);
      if (!found) return std::nullopt;
      if (*found == tag) return entry;
    }
    return std::nullopt;
  }

 private:
  std::string_view bytes_;
  bool big_;
};

std::string DecodeComment(std::string_view raw, bool big_endian) {
  const std::string_view charset = raw.substr(0, 8);
  std::string_view text = raw.substr(8);
  if (charset == kUnicode) return Utf16ToUtf8(text, big_endian);
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text);
}

std::optional<std::string> ReadUserComment(const TiffReader& tiff, size_t directory) {
  const std::optional<size_t> entry = tiff.FindEntry(directory, kUserComment);
  if (!entry || tiff.Read(*entry + 2, 2) != kUndefined) return std::nullopt;
  const uint32_t size = tiff.Read(*entry + 4, 4).value_or(0);
  const std::optional<uint32_t> offset = tiff.Read(*entry + 8, 4);
  if (size < kUnicode.size() || !offset) return std::nullopt;
  const std::optional<std::string_view> raw = tiff.Slice(*offset, size);
  if (!raw) return std::nullopt;
  return DecodeComment(*raw, tiff.big_endian());
}

void Append(std::string& out, uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void AppendEntry(std::string& out, uint16_t tag, uint16_t type, uint32_t count, uint32_t value) {
  Append(out, tag, 2);
  Append(out, type, 2);
  Append(out, count, 4);
  Append(out, value, 4);
}

}  // namespace

Exif ParseExif(std::string_view bytes) {
  Exif exif;
  if (bytes.substr(0, kPrefix.size()) == kPrefix) bytes.remove_prefix(kPrefix.size());
  const std::string_view order = bytes.substr(0, 2);
  const TiffReader tiff(bytes);
  if ((order != "II" && order != "MM") || tiff.Read(2, 2) != 42u) return exif;
  const std::optional<uint32_t> first = tiff.Read(4, 4);
  if (!first) return exif;
  if (const std::optional<size_t> entry = tiff.FindEntry(*first, kOrientation)) {
    const size_t size = tiff.Read(*entry + 2, 2) == kLong ? 4 : 2;
    const uint32_t value = tiff.Read(*entry + 8, size).value_or(1);
    if (value >= 1 && value <= 8) exif.orientation = static_cast<int>(value);
  }
  if (const std::optional<size_t> entry = tiff.FindEntry(*first, kExifDirectory)) {
    if (const std::optional<uint32_t> directory = tiff.Read(*entry + 8, 4)) {
      exif.user_comment = ReadUserComment(tiff, *directory);
    }
  }
  return exif;
}

std::string BuildExif(std::string_view comment) {
  bool ascii = true;
  for (const char c : comment) ascii = ascii && static_cast<uint8_t>(c) < 0x80;
  const std::string value =
      ascii ? std::string(kAscii) + std::string(comment) : std::string(kUnicode) + Utf8ToUtf16Be(comment);
  constexpr uint32_t kFirst = 8;
  constexpr uint32_t kDirectoryBytes = 2 + 2 * kEntryBytes + 4;  // two entries and the link
  constexpr uint32_t kSecond = kFirst + kDirectoryBytes;
  constexpr uint32_t kComment = kSecond + 2 + kEntryBytes + 4;
  std::string out("MM\0*"sv);
  Append(out, kFirst, 4);
  Append(out, 2, 2);
  AppendEntry(out, kOrientation, kShort, 1, 1u << 16);  // a SHORT stands left-aligned in its field
  AppendEntry(out, kExifDirectory, kLong, 1, kSecond);
  Append(out, 0, 4);
  Append(out, 1, 2);
  AppendEntry(out, kUserComment, kUndefined, static_cast<uint32_t>(value.size()), kComment);
  Append(out, 0, 4);
  return out + value;
}

}  // namespace ip2p
