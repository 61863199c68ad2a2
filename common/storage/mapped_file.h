// A file mapped read-only.
//
// Thread-safe: nothing changes after Open. A file that somebody shortens while it is mapped ends the process
// with SIGBUS; that is why everything here is published by rename and never rewritten in place.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

class MappedFile {
 public:
  // `name` stands in messages instead of the path. Never blocks: a FIFO or device is refused, not opened for
  // real. Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (not a regular file), UNAVAILABLE (the
  // system's own fault).
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path,
                                                                const std::string& name);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}

  const std::byte* const data_;
  const size_t size_;
};

// The whole of a small text file. RESOURCE_EXHAUSTED above `max_bytes`; otherwise as MappedFile::Open.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, const std::string& name, size_t max_bytes);

}  // namespace ip2p
