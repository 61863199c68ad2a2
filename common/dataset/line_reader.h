// Lines of a file or pipe, one at a time, in bounded memory: a line of a gigabyte costs no more than the
// limit. Reads with read(2) and never maps, so a file that changes meanwhile can't end the process. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

// A line without its "\n" (a "\r" before it stays). `text` is valid until the next call.
struct FileLine {
  std::string_view text;  // the first `limit` bytes when too_long
  int64_t number = 0;     // from 1
  int64_t offset = 0;     // of its first byte
  int64_t bytes = 0;      // its true length
  bool too_long = false;
  bool torn = false;  // the file ends without a newline
};

class LineReader {
 public:
  // Reads from `fd`, which stays the caller's, from where it stands. `name` stands in messages.
  LineReader(int fd, std::string name, size_t limit);

  // False at the end. Errors: as read(2).
  absl::StatusOr<bool> Next(FileLine& line);
  // Goes back, or on, to the line after `line`, whose bytes are those of a whole line. Regular files only.
  absl::Status SeekAfter(const FileLine& line);

 private:
  absl::Status Fill();

  const int fd_;
  const std::string name_;
  const size_t limit_;
  std::string block_;
  size_t at_ = 0;
  size_t end_ = 0;
  bool ended_ = false;
  std::string text_;
  int64_t number_ = 0;
  int64_t offset_ = 0;
};

}  // namespace ip2p
