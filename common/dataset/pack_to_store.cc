#include "common/dataset/pack_to_store.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/object_store/cache_folder.h"
#include "common/object_store/object_store.h"
#include "common/object_store/object_tree.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "index.json";
constexpr size_t kDigits = 16;

}  // namespace

absl::StatusOr<PackReport> PackToStore(const std::string& dataset, const std::string& url,
                                       const PackOptions& options) {
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl target, ParseObjectUrl(url));
  IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
  const absl::StatusOr<ObjectFacts> there = store->Head(target.Child(kIndex));
  if (there.ok()) {
    return absl::AlreadyExistsError(absl::StrCat(url, " holds a finished pack; wants a new prefix"));
  }
  if (!absl::IsNotFound(there.status())) return there.status();
  IP2P_ASSIGN_OR_RETURN(const std::string cache, CacheFolder("packs"));
  const std::string folder = absl::StrCat(
      cache, "/",
      Sha256Hex(absl::StrCat(store->settings().endpoint, "\n", dataset, "\n", url)).substr(0, kDigits));
  IP2P_ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(folder + ".lock", FileLock::Kind::kExclusive));
  std::error_code error;
  // A whole one was made, perhaps of an earlier state of the dataset, and not copied to its end.
  if (fs::exists(absl::StrCat(folder, "/", kIndex), error)) fs::remove_all(folder, error);
  IP2P_ASSIGN_OR_RETURN(const PackReport report, PackDataset(dataset, folder, options));
  IP2P_ASSIGN_OR_RETURN(std::vector<FileTransfer> files, FilesBelow(folder, target));
  std::erase_if(files, [](const FileTransfer& file) {
    return fs::path(file.path).filename() == kIndex ||
           fs::path(file.path).filename().native().starts_with(".");
  });
  IP2P_RETURN_IF_ERROR(store->Upload(files));
  const FileTransfer index{.path = absl::StrCat(folder, "/", kIndex), .url = target.Child(kIndex)};
  IP2P_RETURN_IF_ERROR(store->Upload({&index, 1}));
  fs::remove_all(folder, error);
  return report;
}

}  // namespace ip2p
