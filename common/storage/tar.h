// tar archives (POSIX ustar and pax), written so that equal members are equal bytes, and read as if strangers
// had made them. Streams: memory is that of one member. One thread an object.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

// Writes members to `write`, in the order given: mode 0644, no owner, no time.
class TarWriter {
 public:
  using Write = std::function<absl::Status(std::string_view)>;
  explicit TarWriter(Write write) : write_(std::move(write)) {}

  // Errors: those of `write`.
  absl::Status Add(const std::string& name, std::string_view contents);
  // Two empty blocks. Once, last.
  absl::Status Finish();

  // What Add of such a member writes.
  static int64_t BytesOf(const std::string& name, int64_t contents);
  int64_t bytes() const { return bytes_; }  // so far

 private:
  absl::Status Put(std::string_view bytes);
  absl::Status PutMember(const std::string& name, char type, std::string_view contents);

  const Write write_;
  int64_t bytes_ = 0;
};

struct TarMember {
  std::string name;  // as it stands in the archive: never a path to write to
  std::string contents;
  bool too_large = false;  // over the reader's limit: its contents were passed over
  int64_t offset = 0;      // of the contents in the archive
  int64_t size = 0;        // of the contents
};

class TarReader {
 public:
  // Reads from `fd`, which stays the caller's; `name` stands in messages.
  TarReader(int fd, std::string name, size_t max_member_bytes)
      : fd_(fd), name_(std::move(name)), max_member_bytes_(max_member_bytes) {}

  // The next regular file; false at the end. What else there is (folders, links, devices) is passed over and
  // counted. DATA_LOSS: no tar archive, damaged or cut short.
  // Without `with_contents` they are passed over unread: for an index of a long archive.
  absl::StatusOr<bool> Next(TarMember& member, bool with_contents = true);
  int64_t passed_over() const { return passed_over_; }  // links and devices

 private:
  absl::StatusOr<bool> ReadBlock(std::string& block);
  absl::Status ReadContents(int64_t size, std::string& contents);
  absl::Status Skip(int64_t bytes);
  absl::Status Damaged(std::string_view why) const;

  const int fd_;
  const std::string name_;
  const size_t max_member_bytes_;
  int64_t offset_ = 0;
  int64_t passed_over_ = 0;
};

}  // namespace ip2p
