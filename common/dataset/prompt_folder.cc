#include "common/dataset/prompt_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/image/encode.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/new_file.h"

namespace ip2p {
namespace {

constexpr size_t kLeastDigits = 7;

std::string Pathed(const std::string& folder, const std::string& name) {
  return absl::StrCat(folder, "/", name);
}

// The loader parses the file as JSON, which knows no byte order mark.
std::string_view WithoutEnds(std::string_view line) {
  if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

absl::Status CheckPairs(const PromptContents& contents) {
  std::multiset<uint64_t> kept;
  std::multiset<uint64_t> stored;
  for (const Sample& sample : contents.samples) {
    if (sample.kept) kept.insert(sample.seed);
  }
  for (const StoredPair& pair : contents.pairs) stored.insert(pair.seed);
  if (kept != stored || std::adjacent_find(kept.begin(), kept.end()) != kept.end()) {
    return absl::InvalidArgumentError(absl::StrCat("a prompt has ", stored.size(), " pairs for ", kept.size(),
                                                   " kept samples; wants one each, of different seeds"));
  }
  return absl::OkStatus();
}

absl::Status Fill(const std::string& folder, std::span<const FolderFile> files) {
  for (const FolderFile& file : files) {
    IP2P_RETURN_IF_ERROR(WriteNewFile(Pathed(folder, file.name), file.bytes));
  }
  return absl::OkStatus();
}

std::vector<FolderFile> ViewsOf(const std::vector<PromptFile>& files) {
  std::vector<FolderFile> views;
  views.reserve(files.size());
  for (const PromptFile& file : files) views.push_back({file.name, file.bytes});
  return views;
}

}  // namespace

std::string PromptFolderName(int64_t prompt_index) { return absl::StrFormat("%07d", prompt_index); }

std::optional<int64_t> PromptIndexOf(std::string_view folder_name) {
  const absl::string_view name(folder_name.data(), folder_name.size());
  int64_t index = 0;
  if (name.size() < kLeastDigits || !absl::SimpleAtoi(name, &index) || index < 0) return std::nullopt;
  // The name must be the one that we would write: no sign, no space, no further zero.
  return PromptFolderName(index) == folder_name ? std::optional(index) : std::nullopt;
}

std::string BeforeName(uint64_t seed) { return absl::StrCat(seed, "_0.jpg"); }
std::string AfterName(uint64_t seed) { return absl::StrCat(seed, "_1.jpg"); }

absl::StatusOr<std::string> EncodePairImage(const Image& image) {
  return EncodeImage(image, {.format = ImageFormat::kJpeg, .quality = 100});
}

absl::StatusOr<std::vector<PromptFile>> FilesOfPrompt(const PromptContents& contents) {
  IP2P_RETURN_IF_ERROR(CheckPairs(contents));
  std::vector<const Sample*> kept;
  std::string scores;
  std::map<uint64_t, PairDigests> digests;
  for (const StoredPair& pair : contents.pairs) {
    digests[pair.seed] = {.before = Sha256Hex(pair.before), .after = Sha256Hex(pair.after)};
  }
  for (const Sample& sample : contents.samples) {
    if (sample.kept) kept.push_back(&sample);
    absl::StrAppend(&scores, sample.kept ? ScoreLine(sample, digests[sample.seed]) : ScoreLine(sample), "\n");
  }
  std::sort(kept.begin(), kept.end(), [](const Sample* a, const Sample* b) { return BestFirst(*a, *b); });
  std::string metadata;
  for (const Sample* const sample : kept) absl::StrAppend(&metadata, MetadataLine(*sample), "\n");

  std::vector<PromptFile> files;
  files.push_back({"prompt.json", std::string(WithoutEnds(contents.prompt_line))});
  for (const StoredPair& pair : contents.pairs) {
    files.push_back({BeforeName(pair.seed), pair.before});
    files.push_back({AfterName(pair.seed), pair.after});
  }
  if (!metadata.empty()) files.push_back({"metadata.jsonl", std::move(metadata)});
  files.push_back({"scores.jsonl", std::move(scores)});
  return files;
}

absl::Status PublishPrompt(const std::string& dataset, int64_t prompt_index, const PromptContents& contents) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<PromptFile> files, FilesOfPrompt(contents));
  return PublishFolder(dataset, PromptFolderName(prompt_index), ViewsOf(files));
}

absl::Status ReplacePrompt(const std::string& dataset, int64_t prompt_index, const PromptContents& contents) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<PromptFile> files, FilesOfPrompt(contents));
  return ReplaceFolder(dataset, PromptFolderName(prompt_index), ViewsOf(files));
}

absl::Status PublishFolder(const std::string& dataset, const std::string& folder,
                           std::span<const FolderFile> files) {
  IP2P_ASSIGN_OR_RETURN(AtomicFolder atomic, AtomicFolder::Create(Pathed(dataset, folder)));
  IP2P_RETURN_IF_ERROR(Fill(atomic.path(), files));
  return atomic.Publish();
}

absl::Status ReplaceFolder(const std::string& dataset, const std::string& folder,
                           std::span<const FolderFile> files) {
  IP2P_ASSIGN_OR_RETURN(AtomicFolder atomic,
                        AtomicFolder::Create(Pathed(dataset, folder), /*replaces=*/true));
  IP2P_RETURN_IF_ERROR(Fill(atomic.path(), files));
  return atomic.Replace();
}

absl::StatusOr<bool> PromptFinished(const std::string& dataset, int64_t prompt_index) {
  struct stat facts;
  const std::string name = PromptFolderName(prompt_index);
  if (::stat(Pathed(dataset, name).c_str(), &facts) == 0) {
    if (S_ISDIR(facts.st_mode)) return true;
    return absl::FailedPreconditionError(absl::StrCat(name, " is no folder; wants a prompt's"));
  }
  if (errno == ENOENT) return false;
  return IoError(errno, absl::StrCat(name, " cannot be looked at"));
}

}  // namespace ip2p
