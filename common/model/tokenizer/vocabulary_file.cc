// See vocabulary_file.h.
#include "common/model/tokenizer/vocabulary_file.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_vocabulary.h"

namespace ip2p {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();

absl::StatusOr<std::pair<std::string, std::string>> ParseMerge(std::string_view line, size_t number) {
  const size_t space = line.find(' ');
  if (space == 0 || space == line.npos || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("merge ", number, " is not two tokens with a space between"));
  }
  return std::make_pair(std::string(line.substr(0, space)), std::string(line.substr(space + 1)));
}

// Cuts the first line off `text`; a carriage return before the newline is dropped.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

absl::StatusOr<TokenTable> ParseTokenTable(std::string_view vocab_json, std::string_view merges_txt) {
  TokenTable table;
  const auto json = nlohmann::json::parse(vocab_json, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.empty()) {
    return absl::InvalidArgumentError("vocab.json is not a JSON object of tokens; wants token -> id");
  }
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > kMaxId) {
      return absl::InvalidArgumentError("vocab.json has an id that is no whole number; wants 0..2^31-1");
    }
    table.vocabulary[token] = id.get<int64_t>();
  }
  while (!merges_txt.empty()) {
    const std::string_view line = TakeLine(merges_txt);
    if (line.empty() || line.starts_with("#version")) continue;
    IP2P_ASSIGN_OR_RETURN(auto merge, ParseMerge(line, table.merges.size() + 1));
    table.merges.push_back(std::move(merge));
  }
  return table;
}

absl::StatusOr<TokenTable> ReadStandardTokenTable() {
  IP2P_ASSIGN_OR_RETURN(const VocabularyFiles files, StandardVocabularyFiles());
  return ParseTokenTable(files.vocab_json, files.merges_txt);
}

}  // namespace ip2p
