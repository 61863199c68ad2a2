#include "common/prompts/record_scanner.h"

#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

RecordScanner::RecordScanner(int fd, CaptionFormat format)
    : format_(format), lines_(fd, "the captions", kMaxRecordBytes) {}

// A quote that is never closed would swallow the rest of the file: then the record is its first line alone.
absl::Status RecordScanner::JoinCsv(const FileLine& first) {
  const std::string alone = text_;
  while (CsvIsOpen(text_)) {
    FileLine next;
    IP2P_ASSIGN_OR_RETURN(const bool more, lines_.Next(next));
    if (!more || next.too_long || text_.size() + next.text.size() + 1 > kMaxCsvRecordBytes) {
      text_ = alone;
      return lines_.SeekAfter(first);
    }
    text_ += '\n';
    text_ += next.text;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RecordScanner::Next(CaptionRecord& record) {
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
    if (!more) return false;
    record = {.line = line.number, .offset = line.offset, .too_long = line.too_long};
    if (line.too_long) return true;
    text_ = line.text;
    if (line.number == 1 && text_.starts_with(kByteOrderMark)) {
      text_.erase(0, kByteOrderMark.size());
      record.offset += static_cast<int64_t>(kByteOrderMark.size());
    }
    if (format_ == CaptionFormat::kCsv && !line.torn) IP2P_RETURN_IF_ERROR(JoinCsv(line));
    if (text_.ends_with('\r')) text_.pop_back();
    if (text_.empty()) continue;
    record.text = text_;
    return true;
  }
}

}  // namespace ip2p
