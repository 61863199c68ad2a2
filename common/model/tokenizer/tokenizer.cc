// See tokenizer.h. Special tokens written out in the text become their ids before anything else looks at it,
// as in the reference; a padding token of its own (SD 2.x pads with "!") is one of them.
#include "common/model/tokenizer/tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/model/tokenizer/byte_pair_encoder.h"
#include "common/model/tokenizer/text_splitter.h"
#include "common/model/tokenizer/vocabulary_file.h"

namespace ip2p {
namespace {

struct SpecialToken {
  std::string text;
  int64_t id;
};

class ClipTokenizer : public Tokenizer {
 public:
  ClipTokenizer(BytePairEncoder encoder, std::vector<SpecialToken> specials, const TextEncoderConfig& config)
      : encoder_(std::move(encoder)), specials_(std::move(specials)), config_(config) {}

  TokenizedText Encode(std::string_view text) const override {
    std::vector<int64_t> body;
    size_t plain = 0;
    for (size_t at = 0; at < text.size();) {
      const SpecialToken* special = SpecialAt(text.substr(at));
      if (special == nullptr) {
        ++at;
        continue;
      }
      AppendPlain(text.substr(plain, at - plain), body);
      body.push_back(special->id);
      plain = at += special->text.size();
    }
    AppendPlain(text.substr(plain), body);

    const auto room = static_cast<size_t>(config_.max_positions - 2);
    TokenizedText result;
    result.truncated = body.size() > room;
    body.resize(std::min(body.size(), room));
    result.ids.reserve(config_.max_positions);
    result.ids.push_back(config_.bos_token_id);
    result.ids.insert(result.ids.end(), body.begin(), body.end());
    result.ids.push_back(config_.eos_token_id);
    result.ids.resize(config_.max_positions, config_.pad_token_id);
    return result;
  }

 private:
  const SpecialToken* SpecialAt(std::string_view text) const {
    for (const SpecialToken& special : specials_) {
      if (text.starts_with(special.text)) return &special;
    }
    return nullptr;
  }

  void AppendPlain(std::string_view text, std::vector<int64_t>& ids) const {
    for (const std::string& word : SplitWords(text)) encoder_.Append(word, ids);
  }

  const BytePairEncoder encoder_;
  const std::vector<SpecialToken> specials_;
  const TextEncoderConfig config_;
};

absl::StatusOr<std::unique_ptr<const Tokenizer>> Build(const TokenTable& table,
                                                       const TextEncoderConfig& config) {
  if (config.max_positions < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_positions is ", config.max_positions, "; wants at least 2"));
  }
  std::vector<SpecialToken> specials;
  for (const int id : {config.bos_token_id, config.eos_token_id, config.pad_token_id}) {
    const auto found = std::find_if(table.vocabulary.begin(), table.vocabulary.end(),
                                    [&](const auto& entry) { return entry.second == id; });
    if (found == table.vocabulary.end()) {
      return absl::InvalidArgumentError(absl::StrCat("special token ", id, " is not in the vocabulary"));
    }
    specials.push_back({found->first, id});
  }
  // The longest wins where two start at one place.
  std::stable_sort(specials.begin(), specials.end(), [](const SpecialToken& a, const SpecialToken& b) {
    return a.text.size() > b.text.size();
  });
  for (const auto& [token, id] : table.vocabulary) {
    if (id >= config.vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("vocabulary has id ", id, "; wants ids below the text encoder's ", config.vocab_size));
    }
  }
  IP2P_ASSIGN_OR_RETURN(BytePairEncoder encoder,
                        BytePairEncoder::Create(table.vocabulary, table.merges, config.eos_token_id));
  return std::make_unique<const ClipTokenizer>(std::move(encoder), std::move(specials), config);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Create(std::string_view vocab_json,
                                                                   std::string_view merges_txt,
                                                                   const TextEncoderConfig& config) {
  IP2P_ASSIGN_OR_RETURN(const TokenTable table, ParseTokenTable(vocab_json, merges_txt));
  return Build(table, config);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::CreateStandard(const TextEncoderConfig& config) {
  IP2P_ASSIGN_OR_RETURN(const TokenTable table, ReadStandardTokenTable());
  return Build(table, config);
}

}  // namespace ip2p
