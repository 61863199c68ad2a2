// See make_folder.h.
#include "common/storage/make_folder.h"

#include <string>
#include <system_error>

#include "common/storage/io_error.h"

namespace ip2p {

absl::Status MakeFolder(const std::filesystem::path& path, std::string_view name) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? IoError(error.value(), std::string(name) + " cannot be made") : absl::OkStatus();
}

}  // namespace ip2p
