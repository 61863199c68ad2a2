#include "common/object_store/object_url.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"

namespace ip2p {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr size_t kMaxKeyBytes = 1024;
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kShown = 100;  // bytes of a text in a message

std::string Shown(std::string_view text) {
  return absl::CHexEscape({text.data(), std::min(text.size(), kShown)});
}

// Capitals and "_" are of old buckets, and of stores of other makers.
bool IsBucketName(std::string_view name) {
  constexpr size_t kLeast = 3, kMost = 63;
  const auto fits = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  };
  return name.size() >= kLeast && name.size() <= kMost && std::all_of(name.begin(), name.end(), fits) &&
         absl::ascii_isalnum(static_cast<unsigned char>(name.front()));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = absl::ascii_tolower(static_cast<unsigned char>(c));
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

std::string ObjectUrl::text() const { return absl::StrCat("s3://", bucket, "/", key); }

std::string ObjectUrl::prefix() const { return key.empty() || key.ends_with('/') ? key : key + "/"; }

ObjectUrl ObjectUrl::Child(std::string_view name) const { return {bucket, prefix().append(name)}; }

std::string ObjectUrl::base_name() const {
  std::string_view rest = key;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty()) return bucket;
  return std::string(rest.substr(rest.rfind('/') == std::string_view::npos ? 0 : rest.rfind('/') + 1));
}

bool IsObjectUrl(std::string_view path) { return path.starts_with(kScheme); }

absl::StatusOr<ObjectUrl> ParseObjectUrl(std::string_view text) {
  if (!IsObjectUrl(text)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", Shown(text), "\" is no URL; wants s3://BUCKET/KEY"));
  }
  const std::string_view rest = text.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  ObjectUrl url{.bucket = std::string(rest.substr(0, slash))};
  if (slash < rest.size()) url.key = rest.substr(slash + 1);
  if (!IsBucketName(url.bucket)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the bucket of \"", Shown(text), "\" is \"", Shown(url.bucket),
                     "\"; wants 3..63 letters, digits, - . and _, of which the first is no sign"));
  }
  if (url.key.size() > kMaxKeyBytes || !IsValidUtf8(url.key) || url.key.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("the key of \"", Shown(text), "\" has ", url.key.size(),
                                                   " bytes; wants UTF-8 without NUL, at most ",
                                                   kMaxKeyBytes));
  }
  return url;
}

std::string UriEncode(std::string_view text, bool keep_slashes) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (keep_slashes && c == '/')) {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

std::string UriDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

bool IsFileName(std::string_view part) {
  return !part.empty() && part != "." && part != ".." && part.size() <= kMaxNameBytes &&
         part.find('\0') == std::string_view::npos && part.find('/') == std::string_view::npos &&
         !part.starts_with(".tmp-");
}

}  // namespace ip2p
