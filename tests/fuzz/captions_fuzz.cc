// libFuzzer: a captions file from anyone. The first byte chooses the format; the rest is cut into records and
// each is read as a caption, as a line of a prompts file, as a line of a journal, and as a caption of the
// miniature world.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/dataset/prompt.h"
#include "common/prompts/caption_format.h"
#include "common/prompts/caption_text.h"
#include "common/prompts/journal_record.h"
#include "common/prompts/record_scanner.h"
#include "common/shapes/caption.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

// A file of memory with these bytes, read from its start.
int FileOf(const uint8_t* data, size_t size) {
  const int fd = memfd_create("captions", MFD_CLOEXEC);
  Check(fd >= 0 && write(fd, data, size) == static_cast<ssize_t>(size) && lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

void ReadAsLine(std::string_view text) {
  const auto prompt = ip2p::ParsePromptLine(text);
  if (prompt.ok()) Check(ip2p::ParsePromptLine(ip2p::PromptLine(*prompt)).ok());
  const auto record = ip2p::ParseRecord(text);
  if (record.ok() && !record->record.prompt_line.empty()) {
    Check(text.find(record->record.prompt_line) != std::string_view::npos);
  }
}

void ReadAsCaption(ip2p::CaptionFormat format, const ip2p::CsvColumns& columns, std::string_view text) {
  const auto caption = ip2p::ParseCaption(format, columns, text);
  if (!caption.ok()) {
    Check(absl::IsInvalidArgument(caption.status()));
    return;
  }
  Check(ip2p::CheckCaption(caption->text, caption->url).ok());
  const std::string normalised = ip2p::NormalisedCaption(caption->text);
  Check(ip2p::NormalisedCaption(normalised) == normalised);
  const auto told = ip2p::shapes::ParseCaption(caption->text);
  if (!told.ok()) return;
  const auto again = ip2p::shapes::ParseCaption(ip2p::shapes::Caption(told->scene, told->wording));
  Check(again.ok() && again->scene == told->scene);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto format = static_cast<ip2p::CaptionFormat>(data[0] % 3);
  const int fd = FileOf(data + 1, size - 1);
  ip2p::RecordScanner scanner(fd, format);
  ip2p::CaptionRecord record;
  ip2p::CsvColumns columns;
  int64_t end = 0;
  for (bool first = true; *scanner.Next(record); first = false) {
    Check(record.offset >= end && record.line > 0);
    Check(record.offset + static_cast<int64_t>(record.text.size()) <= static_cast<int64_t>(size));
    Check(record.text.size() <= ip2p::kMaxRecordBytes);
    end = record.offset + static_cast<int64_t>(record.text.size());
    if (first && format == ip2p::CaptionFormat::kCsv) {
      if (const auto header = ip2p::ReadCsvHeader(record.text); header.ok()) columns = *header;
    }
    ReadAsCaption(format, columns, record.text);
    ReadAsLine(record.text);
  }
  close(fd);
  return 0;
}
