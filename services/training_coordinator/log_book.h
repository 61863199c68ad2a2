// The lines that workers of one job wrote, in two files of bounded size: when the newer one is full, it
// becomes the older one, and the older one goes. Thread-safe. Lines survive this process, not always the
// machine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ip2p::training_coordinator {

struct LogEntry {
  absl::Time time;
  int rank = 0;
  int64_t epoch = 0;
  std::string text;
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

// Where a reader is.
struct LogPosition {
  int64_t file = 0;  // number of the file; one that is gone stands for the oldest there is
  int64_t offset = 0;
};

struct LogPiece {
  std::vector<LogEntry> lines;
  LogPosition next;
  bool more = false;  // there was more than was asked for
};

class LogBook {
 public:
  // `folder` may be absent: then there are no lines.
  explicit LogBook(std::string folder, int64_t max_file_bytes = 8 << 20)
      : folder_(std::move(folder)), max_file_bytes_(max_file_bytes) {}

  // RESOURCE_EXHAUSTED or UNAVAILABLE: the disk; none of the lines is kept.
  absl::Status Append(const std::vector<LogEntry>& lines);
  // At most `limit` lines from `from` on, of one rank if given; fewer when their texts fill 256 KiB.
  absl::StatusOr<LogPiece> Read(LogPosition from, size_t limit, std::optional<int> rank) const;
  // Where the last `lines` of them begin. Reads all there is.
  absl::StatusOr<LogPosition> Tail(int64_t lines, std::optional<int> rank) const;

 private:
  std::vector<int64_t> Files() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // ascending
  std::string Path(int64_t file) const;

  const std::string folder_;
  const int64_t max_file_bytes_;
  mutable absl::Mutex mutex_;
};

// The books of all jobs, opened when they are asked for.
class LogBooks {
 public:
  std::shared_ptr<LogBook> Of(const std::string& job_id, const std::string& folder);
  void Forget(const std::string& job_id);

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<LogBook>> books_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::training_coordinator
