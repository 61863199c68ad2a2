// A small byte-pair vocabulary of one's own, in the layout of CLIP's. No torch, no state, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct VocabularyTexts {
  std::string vocab_json;  // token -> id: 256 bytes, 256 bytes that end a word, merges, start, end of text
  std::string merges_txt;  // a line a merge, in order of rank, after a "#version" line
  int size = 0;            // ids are 0..size-1; the last two start and end a text
};

// Byte-pair encoding (Sennrich et al., 2016) over the distinct words of `texts`: the pair of symbols that
// most words hold becomes one, again and again, until every word is one token or there are `most_merges`. Of
// equally frequent pairs the first in byte order is taken, so the same texts give the same files in any
// order. INVALID_ARGUMENT: no words.
absl::StatusOr<VocabularyTexts> TrainVocabulary(const std::vector<std::string>& texts, int most_merges);

}  // namespace ip2p
