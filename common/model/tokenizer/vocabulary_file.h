// Reads the two forms a CLIP vocabulary is shipped in. No torch, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/model/tokenizer/byte_pair_encoder.h"

namespace ip2p {

struct TokenTable {
  Vocabulary vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
};

// vocab.json (token -> id) and merges.txt (a line a merge, "#version" first). INVALID_ARGUMENT names the
// fault.
absl::StatusOr<TokenTable> ParseTokenTable(std::string_view vocab_json, std::string_view merges_txt);

// OpenAI's bpe_simple_vocab_16e6.txt.gz: 49,408 entries. NOT_FOUND when the file is absent, DATA_LOSS when
// damaged.
absl::StatusOr<TokenTable> ReadStandardTokenTable();

}  // namespace ip2p
