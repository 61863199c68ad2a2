// A prompts file as numbered rows (FORMAT.md): counted and digested once, then read share by share, in
// bounded memory. A bad row is told with its line, and the rest goes on. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/permutation.h"
#include "common/dataset/line_reader.h"
#include "common/dataset/prompt.h"

namespace ip2p {

// A line that is not blank. `line` is valid until the next row is read.
struct PromptRow {
  int64_t index = 0;   // among the rows, from 0
  int64_t number = 0;  // of the line, from 1
  std::string_view line;
  Prompt prompt;        // when `status` is OK
  absl::Status status;  // INVALID_ARGUMENT: what is wrong with the line
};

class PromptsFile {
 public:
  // Reads the file twice. Errors: NOT_FOUND, INVALID_ARGUMENT (no regular file, no row in it is a prompt), as
  // read(2).
  static absl::StatusOr<std::unique_ptr<PromptsFile>> Open(const std::string& path);
  ~PromptsFile();
  PromptsFile(const PromptsFile&) = delete;
  PromptsFile& operator=(const PromptsFile&) = delete;

  int64_t size() const { return size_; }                 // rows, bad ones included
  const std::string& sha256() const { return sha256_; }  // of the file's bytes

  // Next gives the rows of `share` from here on.
  absl::Status Rewind(Share share);
  // False after the share's last row.
  absl::StatusOr<bool> Next(PromptRow& row);

 private:
  explicit PromptsFile(int fd) : fd_(fd) {}
  absl::Status Digest();
  absl::Status Count();
  absl::StatusOr<bool> NextRow(FileLine& line);

  const int fd_;
  int64_t size_ = 0;
  std::string sha256_;

  std::unique_ptr<LineReader> reader_;
  int64_t at_ = 0;  // the row that comes next
  int64_t end_ = 0;
};

}  // namespace ip2p
