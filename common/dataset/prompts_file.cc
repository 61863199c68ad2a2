#include "common/dataset/prompts_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/storage/io_error.h"

namespace ip2p {
namespace {

constexpr const char* kName = "the prompts file";
constexpr size_t kMaxLine = 1 << 20;  // three texts of 4 KiB, escaped, and room for other keys
constexpr size_t kBlock = 1 << 16;

bool IsBlank(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isspace(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

absl::StatusOr<Prompt> ParseRow(const FileLine& line) {
  if (line.too_long) {
    return absl::InvalidArgumentError(
        absl::StrCat("the line is ", line.bytes, " bytes; wants at most ", kMaxLine));
  }
  if (!IsValidUtf8(line.text)) return absl::InvalidArgumentError("the line is not UTF-8; wants UTF-8 text");
  return ParsePromptLine(line.text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PromptsFile>> PromptsFile::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO doesn't block
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(kName, " cannot be opened"));
  std::unique_ptr<PromptsFile> file(new PromptsFile(fd));
  struct stat found {};
  if (::fstat(fd, &found) != 0) return IoError(errno, absl::StrCat(kName, " cannot be read"));
  if (!S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(kName, " is no regular file; wants JSON lines"));
  }
  IP2P_RETURN_IF_ERROR(file->Digest());
  IP2P_RETURN_IF_ERROR(file->Count());
  return file;
}

PromptsFile::~PromptsFile() { ::close(fd_); }

absl::Status PromptsFile::Digest() {
  Sha256 digest;
  std::vector<char> block(kBlock);
  for (;;) {
    const ssize_t got = ::read(fd_, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError(errno, absl::StrCat(kName, " cannot be read"));
    if (got == 0) break;
    digest.Update(std::string_view(block.data(), static_cast<size_t>(got)));
  }
  sha256_ = digest.Finish();
  return absl::OkStatus();
}

absl::Status PromptsFile::Count() {
  IP2P_RETURN_IF_ERROR(Rewind({0, INT64_MAX}));
  FileLine line;
  bool any_good = false;
  absl::Status first_fault;
  for (;;) {
    IP2P_ASSIGN_OR_RETURN(const bool more, NextRow(line));
    if (!more) break;
    ++size_;
    if (any_good) continue;
    any_good = ParseRow(line).ok();
    if (size_ == 1) first_fault = ParseRow(line).status();
  }
  if (any_good || size_ == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("no row of ", kName, " is a prompt; the first of ", size_, ": ", first_fault.message()));
}

absl::Status PromptsFile::Rewind(Share share) {
  if (::lseek(fd_, 0, SEEK_SET) < 0) return IoError(errno, absl::StrCat(kName, " cannot be read"));
  reader_ = std::make_unique<LineReader>(fd_, kName, kMaxLine);
  FileLine line;
  for (at_ = 0; at_ < share.begin; ++at_) {
    IP2P_ASSIGN_OR_RETURN(const bool more, NextRow(line));
    if (!more) return absl::DataLossError(absl::StrCat(kName, " became shorter while it was read"));
  }
  end_ = share.end;
  return absl::OkStatus();
}

absl::StatusOr<bool> PromptsFile::NextRow(FileLine& line) {
  for (;;) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader_->Next(line));
    if (!more) return false;
    if (line.too_long || !IsBlank(line.text)) return true;
  }
}

absl::StatusOr<bool> PromptsFile::Next(PromptRow& row) {
  if (at_ >= end_) return false;
  FileLine line;
  IP2P_ASSIGN_OR_RETURN(const bool more, NextRow(line));
  if (!more) return absl::DataLossError(absl::StrCat(kName, " became shorter while it was read"));
  row.index = at_++;
  row.number = line.number;
  row.line = line.text;
  absl::StatusOr<Prompt> prompt = ParseRow(line);
  row.status = prompt.status();
  row.prompt = prompt.ok() ? *std::move(prompt) : Prompt();
  return true;
}

}  // namespace ip2p
