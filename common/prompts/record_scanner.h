// Cuts a captions file into records: lines, and in a .csv lines that a quoted field joins. Blank lines are no
// records; a byte order mark and "\r" before a newline are not part of one. Bounded memory; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/dataset/line_reader.h"
#include "common/prompts/caption_format.h"

namespace ip2p {

inline constexpr size_t kMaxRecordBytes = 1 << 20;     // other keys may stand beside the caption
inline constexpr size_t kMaxCsvRecordBytes = 1 << 16;  // more is a quote that nobody closed

struct CaptionRecord {
  std::string_view text;  // valid until the next call; empty when too_long
  int64_t line = 0;       // the first line's number, from 1
  int64_t offset = 0;     // of `text` in the file
  bool too_long = false;
};

class RecordScanner {
 public:
  // `fd` is a regular file and stays the caller's.
  RecordScanner(int fd, CaptionFormat format);

  // False at the end. Errors: as read(2).
  absl::StatusOr<bool> Next(CaptionRecord& record);

 private:
  absl::Status JoinCsv(const FileLine& first);

  const CaptionFormat format_;
  LineReader lines_;
  std::string text_;
};

}  // namespace ip2p
