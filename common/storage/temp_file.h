// A file without a name, for what is too long for memory: gone with the process, even when it is killed. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

class TempFile {
 public:
  // In `folder`. Errors: as open(2); RESOURCE_EXHAUSTED when the disk is full.
  static absl::StatusOr<TempFile> Create(const std::string& folder);

  TempFile(TempFile&& other) noexcept;
  TempFile& operator=(TempFile&& other) noexcept;
  ~TempFile();

  int fd() const { return fd_; }
  int64_t size() const { return size_; }

  // Appends; small pieces are gathered until Flush.
  absl::Status Append(std::string_view bytes);
  absl::Status Flush();
  // `bytes` from `offset`, all of them. After Flush. OUT_OF_RANGE past the end.
  absl::Status ReadAt(int64_t offset, std::span<std::byte> bytes) const;
  absl::Status WriteAt(int64_t offset, std::span<const std::byte> bytes);

 private:
  explicit TempFile(int fd) : fd_(fd) {}

  int fd_;
  int64_t size_ = 0;  // what is gathered included
  std::string gathered_;
};

// read(2) and write(2) until all is done, from any open file.
absl::Status ReadFully(int fd, int64_t offset, std::span<std::byte> bytes);
absl::Status WriteFully(int fd, int64_t offset, std::span<const std::byte> bytes);

}  // namespace ip2p
