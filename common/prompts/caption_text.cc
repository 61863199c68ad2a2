#include "common/prompts/caption_text.h"

#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"

namespace ip2p {
namespace {

bool IsAscii(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isascii(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

std::string CaseFolded(std::string_view text) {
  std::string folded;
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const form = icu::Normalizer2::getNFKCCasefoldInstance(error);
  if (!IsAscii(text) && U_SUCCESS(error)) {
    const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
    form->normalize(icu::UnicodeString::fromUTF8(piece), error).toUTF8String(folded);
    if (U_SUCCESS(error)) return folded;
  }
  folded.assign(text);
  for (char& c : folded) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return folded;
}

absl::Status CheckText(const char* name, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is ", text.size(), " bytes; wants at most ", max_bytes));
  }
  if (text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(name, " holds a NUL; wants none"));
  }
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError(absl::StrCat(name, " is not UTF-8"));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCaption(std::string_view text, std::string_view url) {
  if (text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos) {
    return absl::InvalidArgumentError("caption is empty; wants a text");
  }
  if (absl::Status status = CheckText("caption", text, kMaxCaptionBytes); !status.ok()) return status;
  return CheckText("url", url, kMaxUrlBytes);
}

std::string NormalisedCaption(std::string_view text) {
  std::string result;
  bool gap = false;
  for (const char c : CaseFolded(text)) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      gap = !result.empty();
      continue;
    }
    if (gap) result += ' ';
    gap = false;
    result += c;
  }
  while (!result.empty() && (result.back() == '.' || result.back() == ' ')) result.pop_back();
  return result;
}

}  // namespace ip2p
