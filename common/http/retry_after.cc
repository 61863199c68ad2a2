#include "common/http/retry_after.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace ip2p {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Nothing unless `text` is digits with at most one point.
std::optional<absl::Duration> ParseNumber(std::string_view text, absl::Duration unit) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); };
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [&](char c) { return is_digit(c) || c == '.'; })) {
    return std::nullopt;
  }
  double number = 0;
  if (!absl::SimpleAtod(View(text), &number)) return std::nullopt;
  return number * unit;  // saturates
}

std::optional<absl::Time> ParseHttpDate(std::string_view text) {
  // IMF-fixdate, RFC 850 and asctime; all mean UTC.
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(format, View(text), absl::UTCTimeZone(), &time, &error)) return time;
  }
  return std::nullopt;
}

}  // namespace

std::optional<absl::Duration> ParseRetryAfter(const HttpResponse& response, absl::Time now) {
  if (const auto wait = ParseNumber(response.Header("retry-after-ms"), absl::Milliseconds(1))) return wait;
  const std::string_view text = response.Header("retry-after");
  if (const auto wait = ParseNumber(text, absl::Seconds(1))) return wait;
  if (const auto date = ParseHttpDate(text)) return std::max(*date - now, absl::ZeroDuration());
  return std::nullopt;
}

std::optional<bool> ParseShouldRetry(const HttpResponse& response) {
  const std::string text = absl::AsciiStrToLower(View(response.Header("x-should-retry")));
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<absl::Duration> ParseReset(std::string_view text) {
  if (const auto plain = ParseNumber(text, absl::Seconds(1))) return plain;
  absl::Duration wait;
  if (text.empty() || !absl::ParseDuration(View(text), &wait)) return std::nullopt;
  return std::max(wait, absl::ZeroDuration());
}

}  // namespace ip2p
