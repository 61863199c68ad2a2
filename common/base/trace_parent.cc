#include "common/base/trace_parent.h"

#include "absl/strings/str_cat.h"
#include "common/base/random.h"

namespace ip2p {
namespace {

constexpr size_t kTraceAt = 3, kTraceDigits = 32;
constexpr size_t kParentAt = 36, kParentDigits = 16;
constexpr size_t kFlagsAt = 53, kSize = 55;

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsZero(std::string_view digits) { return digits.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

bool IsTraceParent(std::string_view text) {
  if (text.size() != kSize || text.substr(0, 2) == "ff") return false;
  for (size_t i = 0; i < kSize; ++i) {
    const bool dash = i == kTraceAt - 1 || i == kParentAt - 1 || i == kFlagsAt - 1;
    if (dash ? text[i] != '-' : !IsLowerHex(text[i])) return false;
  }
  return !IsZero(text.substr(kTraceAt, kTraceDigits)) && !IsZero(text.substr(kParentAt, kParentDigits));
}

std::string NewTraceParent() {
  const std::string digits = RandomRequestId();
  std::string parent = RandomRequestId().substr(0, kParentDigits);
  parent.back() = parent.back() == '0' ? '1' : parent.back();  // never all zeros
  return absl::StrCat("00-", digits, "-", parent, "-00");
}

}  // namespace ip2p
