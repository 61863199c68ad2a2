// The standard CLIP vocabulary, as set-up installs it: OpenAI's bpe_simple_vocab_16e6.txt.gz, 49,408 entries.
// It is found at $IP2P_CLIP_VOCAB, else in ../share of the program. Thread-safe: plain functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"

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

// Gives a model without tokenizer files (a one-file checkpoint) the standard ones, so that it can be written
// as a folder. Errors: as above; FAILED_PRECONDITION when the model's vocabulary has another size.
absl::Status FillVocabulary(ModelSource& source);

}  // namespace ip2p
