// A file that grows by whole pieces: a piece that can't be written in full is taken back, so that what went
// before stays as it was. What is appended survives the process at once, and the machine after Sync. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

class AppendFile {
 public:
  // Makes the file when there is none. `name` stands in messages. With `exclusive`, ABORTED when another
  // process has it open that way. Errors: INVALID_ARGUMENT (no regular file), as open(2).
  static absl::StatusOr<AppendFile> Open(const std::string& path, const std::string& name, bool exclusive);

  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();  // gives the lock back

  int fd() const { return fd_; }
  int64_t size() const { return size_; }

  // RESOURCE_EXHAUSTED when the disk is full, UNAVAILABLE when it fails; the file is then as before.
  absl::Status Append(std::string_view piece);
  // Cuts the file to `size` bytes.
  absl::Status Truncate(int64_t size);
  absl::Status Sync();

 private:
  AppendFile(int fd, std::string name, int64_t size) : fd_(fd), name_(std::move(name)), size_(size) {}
  absl::Status Fault(const char* what) const;  // by errno

  int fd_;
  std::string name_;
  int64_t size_;
};

}  // namespace ip2p
