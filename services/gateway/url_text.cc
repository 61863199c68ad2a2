#include "services/gateway/url_text.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "common/base/utf8.h"

namespace ip2p::gateway {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : HexDigit(text[i + 2]);
      if (low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    plain += c;
  }
  if (!IsValidUtf8(plain)) return std::nullopt;
  return plain;
}

std::optional<std::vector<std::string>> SplitPath(std::string_view path) {
  if (!path.starts_with("/")) return std::nullopt;
  std::vector<std::string> parts;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    std::optional<std::string> part = PercentDecode(path.substr(begin, end - begin));
    if (!part || *part == "." || *part == ".." || part->find('/') != std::string::npos) return std::nullopt;
    if (part->empty() && end < path.size()) return std::nullopt;
    if (!part->empty()) parts.push_back(*std::move(part));
    begin = end + 1;
  }
  return parts;
}

}  // namespace ip2p::gateway
