// `ip2p model vocabulary`: a tokenizer for a model that starts from fresh weights.
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/dataset/prompts_file.h"
#include "common/model/tokenizer/train_vocabulary.h"
#include "common/storage/atomic_file.h"
#include "services/cli/commands.h"

namespace ip2p {
namespace {

struct VocabularyFlags {
  std::vector<std::string> prompts;
  std::string output;
  int merges = 8192;
  int max_positions = 77;
};

// Captions, edits and edited captions. A line that is no prompt ends it: a vocabulary that lacks words would
// not show until the model is trained.
absl::StatusOr<std::vector<std::string>> ReadTexts(const std::vector<std::string>& paths) {
  std::vector<std::string> texts;
  for (const std::string& path : paths) {
    IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PromptsFile> file, PromptsFile::Open(path));
    IP2P_RETURN_IF_ERROR(file->Rewind({0, file->size()}));
    for (PromptRow row;;) {
      IP2P_ASSIGN_OR_RETURN(const bool found, file->Next(row));
      if (!found) break;
      IP2P_RETURN_IF_ERROR(row.status);
      for (std::string* text : {&row.prompt.caption, &row.prompt.edit, &row.prompt.output}) {
        texts.push_back(std::move(*text));
      }
    }
  }
  return texts;
}

// As transformers' CLIPTokenizer saves it.
std::string TokenizerConfig(int max_positions) {
  const nlohmann::ordered_json config = {{"add_prefix_space", false},    {"bos_token", "<|startoftext|>"},
                                         {"do_lower_case", true},        {"eos_token", "<|endoftext|>"},
                                         {"errors", "replace"},          {"model_max_length", max_positions},
                                         {"pad_token", "<|endoftext|>"}, {"tokenizer_class", "CLIPTokenizer"},
                                         {"unk_token", "<|endoftext|>"}};
  return config.dump(2) + "\n";
}

absl::Status MakeVocabulary(const VocabularyFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<std::string> texts, ReadTexts(flags.prompts));
  IP2P_ASSIGN_OR_RETURN(const VocabularyTexts made, TrainVocabulary(texts, flags.merges));
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(flags.output));
  const std::filesystem::path at(folder.path());
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(at / "vocab.json", made.vocab_json));
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(at / "merges.txt", made.merges_txt));
  IP2P_RETURN_IF_ERROR(
      WriteFileAtomically(at / "tokenizer_config.json", TokenizerConfig(flags.max_positions)));
  IP2P_RETURN_IF_ERROR(folder.Publish());
  console.err << "wrote " << flags.output << " from " << texts.size()
              << " texts; in a text encoder's config: vocab_size " << made.size << ", bos_token_id "
              << made.size - 2 << ", eos_token_id and pad_token_id " << made.size - 1 << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddVocabularyCommand(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(
      "vocabulary", "Learn a small byte-pair tokenizer from prompts, for a model of one's own");
  const auto flags = std::make_shared<VocabularyFlags>();
  command->add_option("prompts", flags->prompts, "Prompts files, JSONL")->required();
  command->add_option("-o,--output", flags->output, "Tokenizer folder to make")->required();
  command->add_option("--merges", flags->merges, "Most merges; fewer when every word is one token before")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      ->add_option("--max-positions", flags->max_positions,
                   "Tokens of the longest text, start and end included")
      ->check(CLI::Range(3, 4096))
      ->capture_default_str();
  command->callback([flags, &console, &chosen] {
    chosen.run = [flags, &console] { return MakeVocabulary(*flags, console); };
  });
}

}  // namespace ip2p
