// A dataset on disk (FORMAT.md), ours or the original's, read folder by folder: only the names are in memory.
//
// Nothing outside of the dataset is read: names are single path components, and a symbolic link counts only
// when it ends inside. What is passed over is counted. Thread-safe after Open. Messages name files by their
// place in the dataset ("0000012/prompt.json").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/sample.h"

namespace ip2p {

inline constexpr size_t kMaxImageBytes = 20'000'000;

// What a prompt's folder holds, images aside.
struct PromptRecord {
  std::string folder;       // "0000012"
  std::string prompt_json;  // the bytes of prompt.json; empty: missing or unreadable
  std::string caption;      // each empty when unknown
  std::string edit;         // the instruction; empty: prompt.json does not tell
  std::string output;
  std::vector<std::string>
      pairs;  // seeds as the file names say, both images there; sorted as the reference does
  std::vector<std::string> halves;             // names of images without their other half
  std::vector<std::string> outside;            // names of links that leave the dataset
  std::vector<Sample> samples;                 // scores.jsonl; without one metadata.jsonl; empty: neither
  bool has_scores = false;                     // samples are those of scores.jsonl, rejected ones included
  std::map<std::string, PairDigests> digests;  // by seed, of the pairs whose files scores.jsonl tells
  int64_t bad_lines = 0;                       // of that file
};

class DatasetReader {
 public:
  // Lists the folders. NOT_FOUND, or as readdir(3).
  static absl::StatusOr<DatasetReader> Open(const std::string& dataset);

  const std::string& path() const { return path_; }
  // Names, sorted: folders that hold a prompt.json or an image, and no name that starts with a dot.
  const std::vector<std::string>& folders() const { return folders_; }
  // Names of links that leave the dataset, sorted.
  const std::vector<std::string>& outside() const { return outside_; }

  // NOT_FOUND when there is no such folder. Damaged contents are no error: they show in the record.
  absl::StatusOr<PromptRecord> ReadPrompt(const std::string& folder) const;
  // The bytes of an image or another file. NOT_FOUND, INVALID_ARGUMENT (a name with a path, a link that
  // leaves the dataset, no regular file, over the limit).
  absl::StatusOr<std::string> ReadFileOf(const std::string& folder, const std::string& name,
                                         size_t max_bytes = kMaxImageBytes) const;

 private:
  DatasetReader(std::string path, std::string root) : path_(std::move(path)), root_(std::move(root)) {}
  bool Inside(const std::string& path) const;

  std::string path_;
  std::string root_;  // without links
  std::vector<std::string> folders_;
  std::vector<std::string> outside_;
};

// One path component that is no link to elsewhere by its spelling: not empty, ".", "..", no "/" and no NUL.
bool IsPlainName(std::string_view name);

}  // namespace ip2p
