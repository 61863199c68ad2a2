#include "common/storage/io_error.h"

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"

namespace ip2p {

absl::Status IoError(int error, std::string_view message) {
  const std::string text(message);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(absl::StrCat(text, ": no space left"));
    case EIO:
      return absl::UnavailableError(absl::StrCat(text, ": the disk failed"));
    case EROFS:
      return absl::UnavailableError(absl::StrCat(text, ": the file system is read-only"));
    default:
      return absl::ErrnoToStatus(error, text);
  }
}

}  // namespace ip2p
