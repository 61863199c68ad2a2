#include "common/base/miniature.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/share_path.h"

namespace ip2p {

absl::StatusOr<std::string> FindMiniature(const std::string& part) {
  std::string folder = SharePath("models/shapes/" + part);
  std::error_code error;
  // A diffusers folder has the one, a CLIP the other; an autoencoder on its way to a model has neither.
  for (const char* name : {"model_index.json", "config.json"}) {
    if (std::filesystem::exists(std::filesystem::path(folder) / name, error)) return folder;
  }
  return absl::NotFoundError(absl::StrCat("the miniature's ", part, " is not installed here"));
}

}  // namespace ip2p
