#include "common/prompts/caption_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/prompts/caption_text.h"
#include "common/prompts/duplicate_finder.h"
#include "common/prompts/record_scanner.h"

namespace ip2p {
namespace {

// What stands in the index file.
struct Entry {
  int64_t offset;
  int64_t line;
  int32_t bytes;
  CaptionState state;
};

constexpr int64_t kEntryBytes = sizeof(Entry);

std::string_view Bytes(const Entry& entry) { return {reinterpret_cast<const char*>(&entry), sizeof entry}; }

// Copies what can be read only once into a file. Gives that file's descriptor.
absl::StatusOr<int> Spool(int from, const std::string& temp_folder) {
  IP2P_ASSIGN_OR_RETURN(TempFile spool, TempFile::Create(temp_folder));
  std::string block(1 << 16, '\0');
  while (true) {
    const ssize_t got = ::read(from, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, "the captions cannot be read");
    if (got == 0) break;
    IP2P_RETURN_IF_ERROR(spool.Append({block.data(), static_cast<size_t>(got)}));
  }
  IP2P_RETURN_IF_ERROR(spool.Flush());
  const int fd = ::fcntl(spool.fd(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the captions cannot be spooled");
  if (::lseek(fd, 0, SEEK_SET) < 0) return absl::ErrnoToStatus(errno, "the captions cannot be spooled");
  return fd;
}

absl::StatusOr<int> OpenCaptions(const std::string& path, const std::string& temp_folder) {
  if (path == "-") return Spool(STDIN_FILENO, temp_folder);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the captions cannot be opened");
  struct stat facts;
  if (::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) return fd;
  const absl::Cleanup close = [fd] { ::close(fd); };
  if (S_ISDIR(facts.st_mode)) return absl::InvalidArgumentError("the captions are a folder; wants a file");
  return Spool(fd, temp_folder);
}

}  // namespace

CaptionFile::CaptionFile(int fd, CaptionFormat format, TempFile index)
    : fd_(fd), format_(format), index_(std::move(index)) {}

CaptionFile::~CaptionFile() { ::close(fd_); }

absl::StatusOr<std::unique_ptr<CaptionFile>> CaptionFile::Open(const std::string& path,
                                                               const Options& options) {
  CaptionFormat format = CaptionFormat::kJsonl;
  if (options.format != nullptr) {
    format = *options.format;
  } else if (path != "-") {
    IP2P_ASSIGN_OR_RETURN(format, CaptionFormatOf(path));
  }
  IP2P_ASSIGN_OR_RETURN(TempFile index, TempFile::Create(options.temp_folder));
  IP2P_ASSIGN_OR_RETURN(const int fd, OpenCaptions(path, options.temp_folder));
  std::unique_ptr<CaptionFile> file(new CaptionFile(fd, format, std::move(index)));
  IP2P_RETURN_IF_ERROR(file->Index(options.temp_folder));
  return file;
}

absl::StatusOr<std::unique_ptr<CaptionFile>> CaptionFile::FromList(const std::vector<Caption>& captions,
                                                                   const std::string& temp_folder) {
  IP2P_ASSIGN_OR_RETURN(TempFile index, TempFile::Create(temp_folder));
  IP2P_ASSIGN_OR_RETURN(TempFile lines, TempFile::Create(temp_folder));
  for (const Caption& caption : captions) {
    const nlohmann::json line = {{"caption", caption.text}, {"url", caption.url}};
    const auto keep_what_is_valid = nlohmann::json::error_handler_t::replace;
    IP2P_RETURN_IF_ERROR(lines.Append(line.dump(-1, ' ', false, keep_what_is_valid) + "\n"));
  }
  IP2P_RETURN_IF_ERROR(lines.Flush());
  const int fd = ::fcntl(lines.fd(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the captions cannot be spooled");
  std::unique_ptr<CaptionFile> file(new CaptionFile(fd, CaptionFormat::kJsonl, std::move(index)));
  if (::lseek(fd, 0, SEEK_SET) < 0) return absl::ErrnoToStatus(errno, "the captions cannot be spooled");
  IP2P_RETURN_IF_ERROR(file->Index(temp_folder));
  return file;
}

absl::Status CaptionFile::Index(const std::string& temp_folder) {
  IP2P_ASSIGN_OR_RETURN(DuplicateFinder captions, DuplicateFinder::Create(temp_folder));
  IP2P_ASSIGN_OR_RETURN(DuplicateFinder urls, DuplicateFinder::Create(temp_folder));
  RecordScanner scanner(fd_, format_);
  CaptionRecord record;
  bool header = format_ == CaptionFormat::kCsv;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, scanner.Next(record));
    if (!more) break;
    fingerprint_ = HashText(record.text, fingerprint_);
    if (std::exchange(header, false)) {
      IP2P_ASSIGN_OR_RETURN(columns_, ReadCsvHeader(record.text));
      continue;
    }
    Entry entry{record.offset, record.line, static_cast<int32_t>(record.text.size()), CaptionState::kBad};
    absl::StatusOr<CaptionText> caption = absl::InvalidArgumentError("");
    if (!record.too_long) caption = ParseCaption(format_, columns_, record.text);
    if (caption.ok()) {
      entry.state = CaptionState::kGood;
      IP2P_RETURN_IF_ERROR(captions.Add(size_, NormalisedCaption(caption->text)));
      if (!caption->url.empty()) IP2P_RETURN_IF_ERROR(urls.Add(size_, caption->url));
    }
    IP2P_RETURN_IF_ERROR(index_.Append(Bytes(entry)));
    ++size_;
  }
  if (header)
    return absl::InvalidArgumentError("the captions are empty; wants a first record that names columns");
  IP2P_RETURN_IF_ERROR(index_.Flush());
  const auto mark = [this](int64_t index) {
    const CaptionState state = CaptionState::kDuplicate;
    return index_.WriteAt(index * kEntryBytes + static_cast<int64_t>(offsetof(Entry, state)),
                          std::as_bytes(std::span(&state, 1)));
  };
  IP2P_RETURN_IF_ERROR(captions.Find(mark));
  return urls.Find(mark);
}

absl::StatusOr<NumberedCaption> CaptionFile::Read(int64_t index) const {
  Entry entry;
  IP2P_RETURN_IF_ERROR(index_.ReadAt(index * kEntryBytes, std::as_writable_bytes(std::span(&entry, 1))));
  NumberedCaption result{.state = entry.state, .caption = {.index = index}, .line = entry.line};
  if (entry.state == CaptionState::kDuplicate) return result;
  std::string record(static_cast<size_t>(entry.bytes), '\0');
  IP2P_RETURN_IF_ERROR(ReadFully(fd_, entry.offset, std::as_writable_bytes(std::span(record))));
  if (record.empty()) {
    result.fault = absl::StrCat("the line is too long; wants at most ", kMaxRecordBytes, " bytes");
    return result;
  }
  absl::StatusOr<CaptionText> caption = ParseCaption(format_, columns_, record);
  if (caption.ok() != (entry.state == CaptionState::kGood)) {
    return absl::DataLossError("the captions were changed during the run; wants them left alone");
  }
  if (caption.ok()) {
    result.caption.text = std::move(caption->text);
    result.caption.url = std::move(caption->url);
  } else {
    result.fault = std::string(caption.status().message());
  }
  return result;
}

}  // namespace ip2p
