#include "common/prompts/answer_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/utf8.h"
#include "common/prompts/caption_text.h"

namespace ip2p {
namespace {

bool IsGood(absl::string_view text) {
  const bool one_line = std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  return !text.empty() && text.size() <= kMaxCaptionBytes && one_line &&
         IsValidUtf8({text.data(), text.size()});
}

}  // namespace

std::optional<WrittenEdit> CleanEdit(std::string_view edit, std::string_view output) {
  const absl::string_view clean_edit =
      absl::StripAsciiWhitespace(absl::string_view(edit.data(), edit.size()));
  const absl::string_view clean_output =
      absl::StripAsciiWhitespace(absl::string_view(output.data(), output.size()));
  if (!IsGood(clean_edit) || !IsGood(clean_output)) return std::nullopt;
  return WrittenEdit{std::string(clean_edit), std::string(clean_output)};
}

}  // namespace ip2p
