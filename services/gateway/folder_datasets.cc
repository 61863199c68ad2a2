#include "services/gateway/folder_datasets.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace ip2p::gateway {
namespace {

namespace fs = std::filesystem;

// A folder with an index, the settings of a run, or a prompt's folder.
bool IsDataset(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path / "seeds.json", error) || fs::exists(path / "run.json", error)) return true;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (fs::exists(it->path() / "prompt.json", ignored)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FolderDatasets::List() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    std::string name = it->path().filename().string();
    if (!IsDatasetName(name) || !it->is_directory(ignored) || !IsDataset(it->path())) continue;
    names.push_back(std::move(name));
    if (names.size() == kMaxDatasets) break;
  }
  if (error) return absl::UnavailableError("the folder of datasets can't be read");
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> FolderDatasets::FolderOf(const std::string& name) {
  std::string path = absl::StrCat(folder_, "/", name);
  std::error_code error;
  if (!IsDatasetName(name) || !fs::is_directory(path, error)) return absl::NotFoundError("no such dataset");
  return path;
}

}  // namespace ip2p::gateway
