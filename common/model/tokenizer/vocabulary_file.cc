// See vocabulary_file.h.
#include "common/model/tokenizer/vocabulary_file.h"

#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace ip2p {
namespace {

constexpr char kFileName[] = "bpe_simple_vocab_16e6.txt.gz";
constexpr size_t kStandardMerges = 49152 - 256 - 2;
constexpr size_t kMaxBytes = 16 << 20;  // the real file unpacks to 3.2 MB
constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();

std::filesystem::path StandardPath() {
  if (const char* path = std::getenv("IP2P_CLIP_VOCAB"); path != nullptr && *path != '\0') return path;
  std::error_code error;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", error);
  // build/bin/ip2p and build/bin/tests/x both find build/share.
  for (auto folder = executable.parent_path(); folder.has_relative_path(); folder = folder.parent_path()) {
    const auto path = folder.parent_path() / "share" / kFileName;
    if (std::filesystem::exists(path, error)) return path;
    if (folder.filename() == "bin") break;
  }
  return executable.parent_path().parent_path() / "share" / kFileName;
}

absl::StatusOr<std::string> Gunzip(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("CLIP's vocabulary file ", kFileName,
                     " is missing; run deploy/setup.sh or point IP2P_CLIP_VOCAB at it"));
  }
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr)
    return absl::NotFoundError(absl::StrCat("CLIP's vocabulary file ", kFileName, " is unreadable"));
  std::string text;
  std::vector<char> buffer(1 << 16);
  int got = 0;
  while ((got = gzread(file.get(), buffer.data(), buffer.size())) > 0 && text.size() <= kMaxBytes) {
    text.append(buffer.data(), got);
  }
  if (got != 0) return absl::DataLossError(absl::StrCat("CLIP's vocabulary file ", kFileName, " is damaged"));
  return text;
}

absl::StatusOr<std::pair<std::string, std::string>> ParseMerge(std::string_view line, size_t number) {
  const size_t space = line.find(' ');
  if (space == 0 || space == line.npos || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("merge ", number, " is not two tokens with a space between"));
  }
  return std::make_pair(std::string(line.substr(0, space)), std::string(line.substr(space + 1)));
}

// Cuts the first line off `text`; a carriage return before the newline is dropped.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

absl::StatusOr<TokenTable> ParseTokenTable(std::string_view vocab_json, std::string_view merges_txt) {
  TokenTable table;
  const auto json = nlohmann::json::parse(vocab_json, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.empty()) {
    return absl::InvalidArgumentError("vocab.json is not a JSON object of tokens; wants token -> id");
  }
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > kMaxId) {
      return absl::InvalidArgumentError("vocab.json has an id that is no whole number; wants 0..2^31-1");
    }
    table.vocabulary[token] = id.get<int64_t>();
  }
  while (!merges_txt.empty()) {
    const std::string_view line = TakeLine(merges_txt);
    if (line.empty() || line.starts_with("#version")) continue;
    IP2P_ASSIGN_OR_RETURN(auto merge, ParseMerge(line, table.merges.size() + 1));
    table.merges.push_back(std::move(merge));
  }
  return table;
}

absl::StatusOr<TokenTable> ReadStandardTokenTable() {
  IP2P_ASSIGN_OR_RETURN(const std::string text, Gunzip(StandardPath()));
  std::string_view rest = text;
  TakeLine(rest);  // the version
  TokenTable table;
  std::vector<std::string> tokens;
  for (const char* suffix : {"", "</w>"}) {
    // Printable bytes first, then the moved ones: the order of the stand-in characters, not of the bytes.
    for (const bool moved : {false, true}) {
      for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        if (printable != moved) tokens.push_back(ByteSymbol(byte) + suffix);
      }
    }
  }
  for (size_t i = 1; i <= kStandardMerges; ++i) {
    if (rest.empty()) {
      return absl::DataLossError(absl::StrCat(kFileName, " has ", i - 1, " merges; wants ", kStandardMerges));
    }
    IP2P_ASSIGN_OR_RETURN(auto merge, ParseMerge(TakeLine(rest), i));
    tokens.push_back(merge.first + merge.second);
    table.merges.push_back(std::move(merge));
  }
  tokens.push_back("<|startoftext|>");
  tokens.push_back("<|endoftext|>");
  for (size_t id = 0; id < tokens.size(); ++id)
    table.vocabulary[std::move(tokens[id])] = static_cast<int64_t>(id);
  return table;
}

}  // namespace ip2p
