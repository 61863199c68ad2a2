#include "common/base/share_path.h"

#include <filesystem>
#include <system_error>

namespace ip2p {

std::string SharePath(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path near = program.parent_path() / "share" / name;
  return fs::exists(near, error) ? near : program.parent_path().parent_path() / "share" / name;
}

}  // namespace ip2p
