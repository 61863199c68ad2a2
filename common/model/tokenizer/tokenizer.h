// CLIP's byte-pair tokenizer, id for id what transformers' CLIPTokenizer gives. No torch; thread-safe after
// Create.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_config.h"

namespace ip2p {

struct TokenizedText {
  std::vector<int64_t> ids;  // exactly max_positions: bos, text, eos, padding
  bool truncated = false;    // the text had more tokens than fit
};

class Tokenizer {
 public:
  // From a model folder's own files. INVALID_ARGUMENT names the fault.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Create(std::string_view vocab_json,
                                                                 std::string_view merges_txt,
                                                                 const TextEncoderConfig& config);
  // The standard 49,408-entry vocabulary, from the gzipped merges file that set-up installs
  // (bpe_simple_vocab_16e6.txt.gz; $IP2P_CLIP_VOCAB, else beside the build). NOT_FOUND says how to get it.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> CreateStandard(const TextEncoderConfig& config);

  virtual ~Tokenizer() = default;
  virtual TokenizedText Encode(std::string_view text) const = 0;
};

}  // namespace ip2p
