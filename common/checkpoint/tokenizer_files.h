// The tokenizer folder of a model: vocabulary texts and the ids of the special tokens. Pure apart from
// reading files.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checkpoint/model_config.h"

namespace ip2p {

struct TokenizerFiles {
  std::string vocab_json;  // both empty: the model has none and means the standard CLIP vocabulary
  std::string merges_txt;
  std::map<std::string, std::string> configs;  // "tokenizer/tokenizer_config.json" -> text, as found
  int bos_token_id = 49406;
  int eos_token_id = 49407;
  int pad_token_id = 49407;
};

// Reads the tokenizer in `part` of the folder ("." for a CLIP's own, which has its files beside the weights):
// vocab.json + merges.txt, else takes both from tokenizer.json (all that newer transformers versions
// write). Special tokens as transformers finds them: special_tokens_map.json overrides tokenizer_config.json
// unless the latter lists added_tokens_decoder. Errors: DATA_LOSS (not JSON), FAILED_PRECONDITION (a special
// token that the vocabulary lacks, one vocabulary file without the other).
absl::StatusOr<TokenizerFiles> ReadTokenizerFolder(const std::string& model_folder,
                                                   const std::string& part = "tokenizer");

// Fills the three ids from `configs` and the vocabulary.
absl::Status FindSpecialTokens(TokenizerFiles& files);

// Moves the vocabulary into a model or a CLIP, and the ids into the config of its text encoder.
template <typename Source>
void GiveTokenizer(TokenizerFiles& files, TextEncoderConfig& config, Source& source) {
  config.bos_token_id = files.bos_token_id;
  config.eos_token_id = files.eos_token_id;
  config.pad_token_id = files.pad_token_id;
  source.vocab_json = std::move(files.vocab_json);
  source.merges_txt = std::move(files.merges_txt);
}

// Config files for a tokenizer folder that has none, naming the tokens of config's ids. An empty vocab_json
// means the standard vocabulary. FAILED_PRECONDITION when an id has no token.
absl::StatusOr<std::map<std::string, std::string>> TokenizerConfigFiles(const std::string& vocab_json,
                                                                        const TextEncoderConfig& config);

}  // namespace ip2p
