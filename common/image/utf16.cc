// Both directions by code point.
#include "common/image/utf16.h"

#include <cstddef>
#include <cstdint>

namespace ip2p {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

// The code point at `i`, which moves past it.
uint32_t NextCodePoint(std::string_view s, size_t& i) {
  const uint8_t lead = static_cast<uint8_t>(s[i++]);
  if (lead < 0x80) return lead;
  const int trail = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4) return kReplacement;
  uint32_t point = lead & (0x3F >> trail);
  for (int k = 0; k < trail; ++k) {
    if (i >= s.size() || (static_cast<uint8_t>(s[i]) & 0xC0) != 0x80) return kReplacement;
    point = point << 6 | (static_cast<uint8_t>(s[i++]) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < kLeast[trail] || point > 0x10FFFF || surrogate ? kReplacement : point;
}

void AppendUtf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
    return;
  }
  const int trail = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[trail] | point >> (6 * trail)));
  for (int k = trail - 1; k >= 0; --k) out.push_back(static_cast<char>(0x80 | (point >> (6 * k) & 0x3F)));
}

}  // namespace

std::string Utf8ToUtf16Be(std::string_view utf8) {
  std::string out;
  const auto append = [&out](uint32_t unit) {
    out.push_back(static_cast<char>(unit >> 8));
    out.push_back(static_cast<char>(unit));
  };
  for (size_t i = 0; i < utf8.size();) {
    const uint32_t point = NextCodePoint(utf8, i);
    if (point < 0x10000) {
      append(point);
    } else {
      append(0xD800 + ((point - 0x10000) >> 10));
      append(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return out;
}

std::string Utf16ToUtf8(std::string_view utf16, bool big_endian) {
  const auto unit = [&](size_t i) {
    const uint32_t a = static_cast<uint8_t>(utf16[i]);
    const uint32_t b = static_cast<uint8_t>(utf16[i + 1]);
    return big_endian ? a << 8 | b : b << 8 | a;
  };
  size_t i = 0;
  if (utf16.size() >= 2 && (unit(0) == 0xFEFF || unit(0) == 0xFFFE)) {
    if (unit(0) == 0xFFFE) big_endian = !big_endian;
    i = 2;
  }
  std::string out;
  while (i + 1 < utf16.size()) {
    uint32_t point = unit(i);
    i += 2;
    if (point == 0) break;
    if (point >= 0xD800 && point <= 0xDFFF) {
      const uint32_t low = i + 1 < utf16.size() ? unit(i) : 0;
      if (point < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF) {
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        i += 2;
      } else {
        point = kReplacement;
      }
    }
    AppendUtf8(out, point);
  }
  return out;
}

}  // namespace ip2p
