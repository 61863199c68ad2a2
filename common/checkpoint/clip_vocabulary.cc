#include "common/checkpoint/clip_vocabulary.h"

#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/share_path.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr char kFileName[] = "bpe_simple_vocab_16e6.txt.gz";
constexpr size_t kMerges = 49152 - 256 - 2;
constexpr int kStandardEntries = 2 * 256 + kMerges + 2;
constexpr size_t kMaxBytes = 16 << 20;  // the real file unpacks to 3.2 MB

fs::path StandardPath() {
  if (const char* path = std::getenv("IP2P_CLIP_VOCAB"); path != nullptr && *path != '\0') return path;
  return SharePath(kFileName);
}

// A byte as the character that stands for it in the vocabulary: printable ones as themselves, the rest from
// U+0100.
std::string ByteSymbol(int byte, int moved_index) {
  const unsigned code =
      moved_index < 0 ? static_cast<unsigned>(byte) : 256u + static_cast<unsigned>(moved_index);
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

// The 256 stand-ins in the vocabulary's order: printable ones first.
std::vector<std::string> ByteSymbols() {
  std::vector<std::string> printable, moved;
  for (int byte = 0; byte < 256; ++byte) {
    const bool shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    if (shown) {
      printable.push_back(ByteSymbol(byte, -1));
    } else {
      moved.push_back(ByteSymbol(byte, static_cast<int>(moved.size())));
    }
  }
  printable.insert(printable.end(), moved.begin(), moved.end());
  return printable;
}

}  // namespace

absl::StatusOr<std::string> ReadStandardMerges() {
  const fs::path path = StandardPath();
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("CLIP's vocabulary file ", kFileName,
                     " is missing; run deploy/setup.sh or point IP2P_CLIP_VOCAB at it"));
  }
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat("CLIP's vocabulary file ", kFileName, " may not be read"));
  }
  std::string text;
  std::vector<char> buffer(1 << 16);
  int got = 0;
  while ((got = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kMaxBytes) break;
  }
  if (got != 0) return absl::DataLossError(absl::StrCat("CLIP's vocabulary file ", kFileName, " is damaged"));
  return text;
}

absl::StatusOr<VocabularyFiles> StandardVocabularyFiles() {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadStandardMerges());
  std::vector<std::string> tokens = ByteSymbols();
  for (size_t i = 0; i < 256; ++i) tokens.push_back(tokens[i] + "</w>");
  VocabularyFiles files{.merges_txt = "#version: 0.2\n"};
  size_t begin = text.find('\n') + 1;  // behind the version
  for (size_t i = 0; i < kMerges; ++i) {
    const size_t end = text.find('\n', begin);
    const size_t space = text.find(' ', begin);
    if (begin == 0 || end == text.npos || space >= end) {
      return absl::DataLossError(absl::StrCat("CLIP's vocabulary file has ", i, " merges; wants ", kMerges,
                                              ": run deploy/setup.sh again"));
    }
    tokens.push_back(text.substr(begin, space - begin) + text.substr(space + 1, end - space - 1));
    files.merges_txt.append(text, begin, end + 1 - begin);
    begin = end + 1;
  }
  tokens.insert(tokens.end(), {"<|startoftext|>", "<|endoftext|>"});
  nlohmann::ordered_json::object_t vocabulary;
  for (size_t id = 0; id < tokens.size(); ++id) vocabulary.push_back({tokens[id], id});
  files.vocab_json = nlohmann::ordered_json(std::move(vocabulary))
                         .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return files;
}

absl::Status FillVocabulary(ModelSource& source) {
  if (!source.vocab_json.empty() && !source.merges_txt.empty()) return absl::OkStatus();
  if (source.config.text_encoder.vocab_size != kStandardEntries) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the model has no vocabulary of its own and knows ", source.config.text_encoder.vocab_size,
        " tokens; wants the ", kStandardEntries, " of the standard one"));
  }
  IP2P_ASSIGN_OR_RETURN(VocabularyFiles files, StandardVocabularyFiles());
  source.vocab_json = std::move(files.vocab_json);
  source.merges_txt = std::move(files.merges_txt);
  return absl::OkStatus();
}

}  // namespace ip2p
