// Publishing: a reader sees the old file or the whole new one, never a part, whatever happens in between.
//
// A file is written under a temporary name in its own folder, synced, renamed, and the folder synced. Thread-
// compatible. A process that is killed leaves at most a file whose name starts with ".tmp-"; the target is
// untouched.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

// One file being written. Destroyed without Publish, it removes its temporary file.
class AtomicFile {
 public:
  // Errors: as open(2), for example NOT_FOUND when the folder does not exist.
  static absl::StatusOr<AtomicFile> Create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  absl::Status Write(std::span<const std::byte> bytes);
  absl::Status Write(std::string_view text);
  // Syncs and renames over the target. Call once.
  absl::Status Publish();

 private:
  AtomicFile(int fd, std::string temporary, std::string target)
      : fd_(fd), temporary_(std::move(temporary)), target_(std::move(target)) {}

  int fd_;
  std::string temporary_;
  std::string target_;
};

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents);

// A folder being filled under a temporary name beside its target. Destroyed without Publish, it is removed.
class AtomicFolder {
 public:
  // ALREADY_EXISTS when the target exists, unless it is there to be replaced: a published folder is never
  // merged.
  static absl::StatusOr<AtomicFolder> Create(const std::string& path, bool replaces = false);

  AtomicFolder(AtomicFolder&& other) noexcept;
  AtomicFolder& operator=(AtomicFolder&&) = delete;
  ~AtomicFolder();

  // Where to write until Publish.
  const std::string& path() const { return temporary_; }
  // Syncs every file and folder inside, then renames. ALREADY_EXISTS when somebody else published meanwhile.
  absl::Status Publish();
  // In the place of Publish, for a target that exists: the two change places at once and the old one is
  // removed. NOT_FOUND when there is none. A file system that cannot exchange (NFS) does it by two renames,
  // between which the target is missing: whoever is killed there leaves OldNameOf(target), and
  // RestoreReplaced puts it back.
  absl::Status Replace();

 private:
  absl::Status SyncAll() const;
  absl::Status ReplaceByTwoRenames();

  AtomicFolder(std::string temporary, std::string target)
      : temporary_(std::move(temporary)), target_(std::move(target)) {}

  std::string temporary_;
  std::string target_;
};

// "a/b" -> "a/.tmp-b-old": where Replace keeps the old folder for a moment.
std::string OldNameOf(const std::string& target);
// After a Replace that may have been killed: the old folder is back where the target is missing, else gone.
// Only for who owns the target.
absl::Status RestoreReplaced(const std::string& target);

}  // namespace ip2p
