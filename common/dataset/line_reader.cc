#include "common/dataset/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr size_t kBlock = 1 << 16;

}  // namespace

LineReader::LineReader(int fd, std::string name, size_t limit)
    : fd_(fd), name_(std::move(name)), limit_(limit), block_(kBlock, '\0') {}

absl::Status LineReader::Fill() {
  at_ = end_ = 0;
  while (!ended_) {
    const ssize_t got = ::read(fd_, block_.data(), block_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat(name_, " cannot be read"));
    end_ = static_cast<size_t>(got);
    ended_ = got == 0;
    break;
  }
  return absl::OkStatus();
}

absl::Status LineReader::SeekAfter(const FileLine& line) {
  offset_ = line.offset + line.bytes + 1;
  number_ = line.number;
  at_ = end_ = 0;
  ended_ = false;
  if (::lseek(fd_, offset_, SEEK_SET) < 0)
    return absl::ErrnoToStatus(errno, absl::StrCat(name_, " cannot be read"));
  return absl::OkStatus();
}

absl::StatusOr<bool> LineReader::Next(FileLine& line) {
  text_.clear();
  line = {.number = number_ + 1, .offset = offset_};
  bool whole = false;
  while (!whole) {
    if (at_ == end_) IP2P_RETURN_IF_ERROR(Fill());
    if (ended_) break;
    const char* const begin = block_.data() + at_;
    const void* const newline = std::memchr(begin, '\n', end_ - at_);
    whole = newline != nullptr;
    const size_t bytes = whole ? static_cast<size_t>(static_cast<const char*>(newline) - begin) : end_ - at_;
    text_.append(begin, std::min(bytes, limit_ - text_.size()));
    line.bytes += static_cast<int64_t>(bytes);
    at_ += bytes + (whole ? 1 : 0);
  }
  if (!whole && line.bytes == 0) return false;
  offset_ += line.bytes + (whole ? 1 : 0);
  ++number_;
  line.text = text_;
  line.too_long = line.bytes > static_cast<int64_t>(limit_);
  line.torn = !whole;
  return true;
}

}  // namespace ip2p
