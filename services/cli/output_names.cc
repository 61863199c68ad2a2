// Pure.
#include "services/cli/output_names.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ip2p {

std::string OutputPath(const std::string& path, int index, int count) {
  if (count <= 1) return path;
  const size_t slash = path.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot <= name) dot = path.size();  // none, or a hidden file's
  return absl::StrCat(path.substr(0, dot), "-", index, path.substr(dot));
}

std::string PreviewPath(const std::string& folder, int output, int step) {
  return absl::StrFormat("%s/preview-%d-%03d.png", folder, output, step);
}

}  // namespace ip2p
