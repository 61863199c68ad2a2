#include "common/checkpoint/tokenizer_files.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/text_quote.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

using nlohmann::json;

constexpr size_t kMaxBytes = 64 << 20;
constexpr char kConfig[] = "tokenizer/tokenizer_config.json";
constexpr char kSpecialMap[] = "tokenizer/special_tokens_map.json";

// Nothing when the file is absent. `name` is "tokenizer/FILE", and FILE is looked for in `folder`.
absl::StatusOr<std::optional<std::string>> ReadOptional(const std::filesystem::path& folder,
                                                        const char* name) {
  absl::StatusOr<std::string> text =
      ReadTextFile((folder / std::filesystem::path(name).filename()).string(), name, kMaxBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  return *std::move(text);
}

absl::StatusOr<json> ParseObject(std::string_view text, const char* name) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return absl::DataLossError(absl::StrCat(name, " is not a JSON object"));
  return parsed;
}

// Those of the standard vocabulary that can be special.
json::object_t StandardTokens() { return {{"!", 0}, {"<|startoftext|>", 49406}, {"<|endoftext|>", 49407}}; }

// Finds the ids of a few tokens without building a document of 49,408 entries.
class IdFinder : public nlohmann::json_sax<json> {
 public:
  explicit IdFinder(std::map<std::string, std::optional<int>>& wanted) : wanted_(wanted) {}
  bool key(string_t& value) override {
    const auto found = wanted_.find(value);
    slot_ = depth_ == 1 && found != wanted_.end() ? &found->second : nullptr;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (slot_ != nullptr && value < (1u << 24)) *slot_ = static_cast<int>(value);
    slot_ = nullptr;
    return true;
  }
  bool start_object(size_t) override { return ++depth_ == 1; }
  bool end_object() override { return --depth_ == 0; }
  bool null() override { return false; }
  bool boolean(bool) override { return false; }
  bool number_integer(number_integer_t) override { return false; }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool string(string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool start_array(size_t) override { return false; }
  bool end_array() override { return false; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  std::map<std::string, std::optional<int>>& wanted_;
  std::optional<int>* slot_ = nullptr;
  int depth_ = 0;
};

// "<|endoftext|>" or {"content": "<|endoftext|>", ...}.
std::optional<std::string> TokenIn(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && found->at("content").is_string()) {
    return found->at("content").get<std::string>();
  }
  return std::nullopt;
}

absl::Status TakeVocabularyFrom(std::string_view tokenizer_json, TokenizerFiles& files) {
  constexpr char kName[] = "tokenizer/tokenizer.json";
  IP2P_ASSIGN_OR_RETURN(const json document, ParseObject(tokenizer_json, kName));
  const auto model = document.find("model");
  if (model == document.end() || !model->is_object() || !model->contains("vocab") ||
      !model->contains("merges") || !model->at("vocab").is_object() || !model->at("merges").is_array()) {
    return absl::FailedPreconditionError(
        absl::StrCat(kName, " has no model with vocab and merges; wants a BPE model"));
  }
  files.merges_txt = "#version: 0.2\n";
  for (const json& merge : model->at("merges")) {
    if (merge.is_string()) {
      absl::StrAppend(&files.merges_txt, merge.get_ref<const std::string&>(), "\n");
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      absl::StrAppend(&files.merges_txt, merge[0].get_ref<const std::string&>(), " ",
                      merge[1].get_ref<const std::string&>(), "\n");
    } else {
      return absl::FailedPreconditionError(absl::StrCat(kName, " has a merge that is not two tokens"));
    }
  }
  files.vocab_json = model->at("vocab").dump(-1, ' ', false, json::error_handler_t::replace);
  return absl::OkStatus();
}

}  // namespace

absl::Status FindSpecialTokens(TokenizerFiles& files) {
  std::string bos = "<|startoftext|>", eos = "<|endoftext|>", pad = "<|endoftext|>";
  bool config_rules = false;
  for (const char* name : {kConfig, kSpecialMap}) {
    const auto text = files.configs.find(name);
    if (text == files.configs.end() || config_rules) continue;
    IP2P_ASSIGN_OR_RETURN(const json object, ParseObject(text->second, name));
    bos = TokenIn(object, "bos_token").value_or(bos);
    eos = TokenIn(object, "eos_token").value_or(eos);
    pad = TokenIn(object, "pad_token").value_or(pad);
    config_rules = object.contains("added_tokens_decoder");
  }
  std::map<std::string, std::optional<int>> ids = {{bos, {}}, {eos, {}}, {pad, {}}};
  if (files.vocab_json.empty()) {
    for (const auto& [token, id] : StandardTokens()) {
      if (const auto found = ids.find(token); found != ids.end()) found->second = id.get<int>();
    }
  } else {
    IdFinder finder(ids);
    if (!json::sax_parse(files.vocab_json, &finder)) {
      return absl::DataLossError("tokenizer/vocab.json is not a JSON object of token ids");
    }
  }
  for (const auto& [token, id] : ids) {
    if (!id.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the special token ", Quoted(token), " is not in the vocabulary; wants one that is"));
    }
  }
  files.bos_token_id = *ids[bos];
  files.eos_token_id = *ids[eos];
  files.pad_token_id = *ids[pad];
  return absl::OkStatus();
}

absl::StatusOr<TokenizerFiles> ReadTokenizerFolder(const std::string& model_folder, const std::string& part) {
  const std::filesystem::path folder = std::filesystem::path(model_folder) / part;
  TokenizerFiles files;
  for (const char* name : {kConfig, kSpecialMap}) {
    IP2P_ASSIGN_OR_RETURN(std::optional<std::string> text, ReadOptional(folder, name));
    if (text.has_value()) files.configs[name] = *std::move(text);
  }
  IP2P_ASSIGN_OR_RETURN(std::optional<std::string> vocab, ReadOptional(folder, "tokenizer/vocab.json"));
  IP2P_ASSIGN_OR_RETURN(std::optional<std::string> merges, ReadOptional(folder, "tokenizer/merges.txt"));
  if (vocab.has_value() != merges.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("tokenizer/",
                                                      vocab.has_value() ? "merges.txt" : "vocab.json",
                                                      " is missing; wants both vocab.json and merges.txt"));
  }
  if (vocab.has_value()) {
    files.vocab_json = *std::move(vocab);
    files.merges_txt = *std::move(merges);
  } else {
    IP2P_ASSIGN_OR_RETURN(std::optional<std::string> whole, ReadOptional(folder, "tokenizer/tokenizer.json"));
    if (whole.has_value()) IP2P_RETURN_IF_ERROR(TakeVocabularyFrom(*whole, files));
  }
  IP2P_RETURN_IF_ERROR(FindSpecialTokens(files));
  return files;
}

absl::StatusOr<std::map<std::string, std::string>> TokenizerConfigFiles(const std::string& vocab_json,
                                                                        const TextEncoderConfig& config) {
  json vocabulary = StandardTokens();
  if (!vocab_json.empty()) {
    IP2P_ASSIGN_OR_RETURN(vocabulary, ParseObject(vocab_json, "tokenizer/vocab.json"));
  }
  std::map<int, std::string> names = {
      {config.bos_token_id, ""}, {config.eos_token_id, ""}, {config.pad_token_id, ""}};
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_integer())
      return absl::DataLossError("tokenizer/vocab.json has an id that is not a number");
    if (const auto found = names.find(id.get<int>()); found != names.end()) found->second = token;
  }
  for (const auto& [id, token] : names) {
    if (token.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the special token ", id, " is not in the vocabulary"));
    }
  }
  json special = {{"bos_token", names[config.bos_token_id]},
                  {"eos_token", names[config.eos_token_id]},
                  {"pad_token", names[config.pad_token_id]},
                  {"unk_token", names[config.eos_token_id]}};
  std::map<std::string, std::string> files;
  files[kSpecialMap] = special.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  special.update({{"tokenizer_class", "CLIPTokenizer"},
                  {"model_max_length", config.max_positions},
                  {"do_lower_case", true},
                  {"add_prefix_space", false},
                  {"errors", "replace"}});
  files[kConfig] = special.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return files;
}

}  // namespace ip2p
