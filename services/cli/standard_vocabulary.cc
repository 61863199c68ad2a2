// vocab.json in the order of the ids and merges.txt in the order of the ranks, as transformers writes them.
#include "services/cli/standard_vocabulary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/model/tokenizer/vocabulary_file.h"

namespace ip2p {

absl::Status FillVocabulary(ModelSource& source) {
  if (!source.vocab_json.empty() && !source.merges_txt.empty()) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const TokenTable table, ReadStandardTokenTable());
  if (static_cast<size_t>(source.config.text_encoder.vocab_size) != table.vocabulary.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the model has no vocabulary of its own and knows ", source.config.text_encoder.vocab_size,
        " tokens; wants the ", table.vocabulary.size(), " of the standard one"));
  }
  std::vector<std::pair<int64_t, std::string>> by_id;
  for (const auto& [token, id] : table.vocabulary) by_id.emplace_back(id, token);
  std::sort(by_id.begin(), by_id.end());
  std::vector<std::string> entries;
  for (const auto& [id, token] : by_id) {
    entries.push_back(absl::StrCat(nlohmann::json(token).dump(-1, ' ', true), ": ", id));
  }
  source.vocab_json = absl::StrCat("{", absl::StrJoin(entries, ", "), "}");
  std::vector<std::string> lines = {"#version: 0.2"};
  for (const auto& [left, right] : table.merges) lines.push_back(absl::StrCat(left, " ", right));
  source.merges_txt = absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
  return absl::OkStatus();
}

}  // namespace ip2p
