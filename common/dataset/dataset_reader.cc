#include "common/dataset/dataset_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/prompt_folder.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPromptBytes = 1 << 20;
constexpr size_t kMaxScoresBytes = 64 << 20;  // 10000 samples take 3 MB

absl::Status Unlisted(const std::error_code& error, const std::string& name) {
  return IoError(error.value(), absl::StrCat(name, " cannot be listed"));
}

void ParsePrompt(PromptRecord& record) {
  const absl::StatusOr<nlohmann::json> object = ParseJsonObject(record.prompt_json);
  if (!object.ok()) return;
  record.caption = TextOr(*object, object->contains("caption") ? "caption" : "input").value_or("");
  record.edit = TextOr(*object, "edit").value_or("");
  record.output = TextOr(*object, "output").value_or("");
}

void ParseSamples(std::string_view text, PromptRecord& record) {
  const int64_t index = PromptIndexOf(record.folder).value_or(0);
  for (const absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    absl::StatusOr<Sample> sample = ParseScoreLine(std::string_view(line.data(), line.size()), index);
    if (sample.ok()) {
      const std::optional<PairDigests> digests = ParseDigests(std::string_view(line.data(), line.size()));
      if (digests.has_value()) record.digests[absl::StrCat(sample->seed)] = *digests;
      record.samples.push_back(*std::move(sample));
    } else {
      ++record.bad_lines;
    }
  }
}

}  // namespace

bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

bool DatasetReader::Inside(const std::string& path) const {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error))) return true;
  const fs::path end = fs::canonical(path, error);
  return !error && absl::string_view(end.native()).substr(0, root_.size() + 1) == absl::StrCat(root_, "/");
}

absl::StatusOr<DatasetReader> DatasetReader::Open(const std::string& dataset) {
  std::error_code error;
  const fs::path root = fs::canonical(dataset, error);
  if (error == std::errc::no_such_file_or_directory) return absl::NotFoundError("the dataset does not exist");
  if (error) return Unlisted(error, "the dataset");
  DatasetReader reader(dataset, root == "/" ? "" : root.string());
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with(".") || !it->is_directory(ignored)) continue;
    (reader.Inside(it->path()) ? reader.folders_ : reader.outside_).push_back(std::move(name));
  }
  if (error) return Unlisted(error, "the dataset");
  std::sort(reader.folders_.begin(), reader.folders_.end());
  std::sort(reader.outside_.begin(), reader.outside_.end());
  return reader;
}

absl::StatusOr<PromptRecord> DatasetReader::ReadPrompt(const std::string& folder) const {
  if (!IsPlainName(folder)) return absl::InvalidArgumentError("a folder's name holds a path; wants a name");
  const std::string path = absl::StrCat(root_, "/", folder);
  if (!Inside(path)) return absl::InvalidArgumentError(absl::StrCat(folder, " leaves the dataset"));
  PromptRecord record{.folder = folder};
  std::set<std::string> images;
  bool scores = false;
  bool metadata = false;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!Inside(it->path())) {
      record.outside.push_back(std::move(name));
      continue;
    }
    scores = scores || name == "scores.jsonl";
    metadata = metadata || name == "metadata.jsonl";
    if (name.ends_with("_0.jpg") || name.ends_with("_1.jpg")) images.insert(std::move(name));
  }
  if (error == std::errc::no_such_file_or_directory)
    return absl::NotFoundError(absl::StrCat(folder, " does not exist"));
  if (error) return Unlisted(error, folder);
  std::sort(record.outside.begin(), record.outside.end());

  constexpr size_t kEnding = 6;  // "_0.jpg"
  for (const std::string& name : images) {
    const std::string seed = name.substr(0, name.size() - kEnding);
    const bool before = name.ends_with("_0.jpg");
    if (images.count(absl::StrCat(seed, before ? "_1.jpg" : "_0.jpg")) == 0) {
      record.halves.push_back(name);
    } else if (before) {
      record.pairs.push_back(seed);  // in the order of the names "SEED_0.jpg"
    }
  }
  absl::StatusOr<std::string> prompt = ReadFileOf(folder, "prompt.json", kMaxPromptBytes);
  if (prompt.ok()) record.prompt_json = *std::move(prompt);
  ParsePrompt(record);
  if (scores || metadata) {
    record.has_scores = scores;
    const absl::StatusOr<std::string> text =
        ReadFileOf(folder, scores ? "scores.jsonl" : "metadata.jsonl", kMaxScoresBytes);
    if (text.ok()) ParseSamples(*text, record);
    if (!text.ok()) ++record.bad_lines;
  }
  return record;
}

absl::StatusOr<std::string> DatasetReader::ReadFileOf(const std::string& folder, const std::string& name,
                                                      size_t max_bytes) const {
  if (!IsPlainName(folder) || !IsPlainName(name)) {
    return absl::InvalidArgumentError("a file's name holds a path; wants a name");
  }
  const std::string place = absl::StrCat(folder, "/", name);
  const std::string path = absl::StrCat(root_, "/", place);
  if (!Inside(absl::StrCat(root_, "/", folder)) || !Inside(path)) {
    return absl::InvalidArgumentError(absl::StrCat(place, " is a link that leaves the dataset"));
  }
  return ReadFile(path, place, max_bytes);
}

}  // namespace ip2p
