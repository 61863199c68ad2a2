// The standard CLIP vocabulary, as set-up installs it: OpenAI's bpe_simple_vocab_16e6.txt.gz, 49,408 entries.
// It is found at $IP2P_CLIP_VOCAB, else in ../share of the program. Thread-safe: plain functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

// The unpacked text: a version line, then one merge a line (more than are used). NOT_FOUND says how to get
// the file; DATA_LOSS when it is damaged.
absl::StatusOr<std::string> ReadStandardMerges();

// The same as a tokenizer folder has it.
struct VocabularyFiles {
  std::string vocab_json;
  std::string merges_txt;
};
absl::StatusOr<VocabularyFiles> StandardVocabularyFiles();

}  // namespace ip2p
