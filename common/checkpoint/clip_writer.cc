#include "common/checkpoint/clip_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_vocabulary.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/safetensors.h"
#include "common/checkpoint/tokenizer_files.h"
#include "common/storage/atomic_file.h"

namespace ip2p {

absl::Status SaveClipFolder(const ClipSource& source, const std::string& path) {
  IP2P_RETURN_IF_ERROR(CheckTensors("CLIP", ClipTensors(source.config), source.tensors));
  VocabularyFiles vocabulary{.vocab_json = source.vocab_json, .merges_txt = source.merges_txt};
  if (vocabulary.vocab_json.empty()) {
    IP2P_ASSIGN_OR_RETURN(vocabulary, StandardVocabularyFiles());
  }
  IP2P_ASSIGN_OR_RETURN(auto files, TokenizerConfigFiles(source.vocab_json, source.config.text));
  files["config.json"] = source.config_json;
  if (!source.preprocessor_json.empty()) files["preprocessor_config.json"] = source.preprocessor_json;
  files["vocab.json"] = vocabulary.vocab_json;
  files["merges.txt"] = vocabulary.merges_txt;

  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(path));
  const auto at = [&folder](absl::string_view name) { return absl::StrCat(folder.path(), "/", name); };
  for (const auto& [name, text] : files)
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(at(absl::StripPrefix(name, "tokenizer/")), text));
  IP2P_RETURN_IF_ERROR(WriteSafetensors(at("model.safetensors"), source.tensors, {{"format", "pt"}}));
  return folder.Publish();
}

}  // namespace ip2p
