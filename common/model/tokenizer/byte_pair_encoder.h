// Byte-pair encoding of one word over CLIP's byte alphabet. No torch; immutable after Create, so thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

using Vocabulary = std::unordered_map<std::string, int64_t>;

// The printable stand-in for a byte that vocabularies are written in (GPT-2's bytes_to_unicode), as UTF-8.
const std::string& ByteSymbol(unsigned char byte);

class BytePairEncoder {
 public:
  // `merges` in order of rank. INVALID_ARGUMENT when a merge names a symbol that the vocabulary lacks.
  static absl::StatusOr<BytePairEncoder> Create(
      const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
      int64_t unknown_id);

  // Appends the ids of `word` (raw UTF-8 bytes; its last symbol carries "</w>"). Symbols that the vocabulary
  // lacks become the unknown id. O(n log n) in the word's length.
  void Append(std::string_view word, std::vector<int64_t>& ids) const;

 private:
  struct Merge {
    uint32_t rank;
    int64_t id;
  };
  const Merge* FindMerge(int64_t left, int64_t right) const;

  int64_t unknown_id_ = 0;
  std::vector<int64_t> inner_ = std::vector<int64_t>(256);  // id of a byte inside a word
  std::vector<int64_t> final_ = std::vector<int64_t>(256);  // id of a byte that ends a word
  std::unordered_map<uint64_t, Merge> merges_;              // (left id, right id) -> rank and merged id
};

}  // namespace ip2p
