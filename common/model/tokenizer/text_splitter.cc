// See text_splitter.h. Follows transformers' CLIPTokenizer (NFC, white space, lower case) and its two splits:
// CLIP's expression, then the one inside ByteLevel, which takes a written-out "<|endoftext|>" apart again.
#include "common/model/tokenizer/text_splitter.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

namespace ip2p {
namespace {

enum class Kind { kSpace, kLetter, kNumber, kOther };

Kind KindOf(char32_t c) {
  const auto code = static_cast<UChar32>(c);
  if (u_isUWhiteSpace(code)) return Kind::kSpace;
  const uint32_t category = U_GET_GC_MASK(code);
  if (category & U_GC_L_MASK) return Kind::kLetter;
  if (category & U_GC_N_MASK) return Kind::kNumber;
  return Kind::kOther;
}

std::u32string NormalizeAndLower(std::string_view text) {
  icu::UnicodeString raw =
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int>(text.size())));
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_SUCCESS(error)) {
    icu::UnicodeString composed = nfc->normalize(raw, error);
    if (U_SUCCESS(error)) raw = std::move(composed);
  }
  std::u32string lower;
  lower.reserve(raw.length());
  for (int i = 0; i < raw.length(); i = raw.moveIndex32(i, 1)) {
    const UChar32 c = raw.char32At(i);
    lower.push_back(static_cast<char32_t>(u_tolower(c)));
    if (c == 0x130) lower.push_back(0x307);  // the one character whose lower case is two
  }
  return lower;
}

// Length of the contraction at `at`, or 0.
size_t Contraction(std::u32string_view text, size_t at) {
  for (std::u32string_view c : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    if (text.substr(at, c.size()) == c) return c.size();
  }
  return 0;
}

// End of the run of one kind that starts at `at`; numbers stand alone.
size_t RunEnd(std::u32string_view text, size_t at) {
  const Kind kind = KindOf(text[at]);
  size_t end = at + 1;
  if (kind == Kind::kNumber) return end;
  while (end < text.size() && KindOf(text[end]) == kind) ++end;
  return end;
}

std::string ToUtf8(std::u32string_view text) {
  std::string utf8;
  icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()), static_cast<int>(text.size()))
      .toUTF8String(utf8);
  return utf8;
}

}  // namespace

std::vector<std::string> SplitWords(std::string_view text) {
  const std::u32string all = NormalizeAndLower(text);
  std::u32string_view rest = all;
  std::vector<std::string> words;
  while (!rest.empty()) {
    // Upper-case spellings of the special tokens are plain text, but still end a run of punctuation.
    for (std::u32string_view special : {U"<|startoftext|>", U"<|endoftext|>"}) {
      if (!rest.starts_with(special)) continue;
      words.push_back("<|");
      words.push_back(ToUtf8(special.substr(2, special.size() - 4)));
      words.push_back("|>");
      rest.remove_prefix(special.size());
    }
    if (rest.empty()) break;
    if (KindOf(rest[0]) == Kind::kSpace) {
      rest.remove_prefix(1);
      continue;
    }
    size_t end = Contraction(rest, 0);
    if (end == 0) end = RunEnd(rest, 0);
    words.push_back(ToUtf8(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return words;
}

}  // namespace ip2p
