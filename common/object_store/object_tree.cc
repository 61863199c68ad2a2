#include "common/object_store/object_tree.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

bool IsBeingWritten(const fs::path& path) { return path.filename().native().starts_with(".tmp-"); }

}  // namespace

bool IsFolderMarker(const ListedObject& object) { return object.key.ends_with('/') && object.size == 0; }

absl::StatusOr<std::string> PathBelow(const ObjectUrl& url, const std::string& key) {
  const std::string prefix = url.prefix();
  const std::string below = key.starts_with(prefix) ? key.substr(prefix.size()) : "";
  for (const absl::string_view part : absl::StrSplit(below, '/')) {
    if (IsFileName({part.data(), part.size()})) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("s3://", url.bucket, "/", absl::CHexEscape(key), " can be no file below ", url.text(),
                     "; wants parts of 1..255 "
                     "bytes between slashes, none of them . or .. or .tmp-..."));
  }
  return below;
}

absl::StatusOr<std::vector<FileTransfer>> FilesBelow(const std::string& folder, const ObjectUrl& url) {
  std::vector<FileTransfer> files;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return error ? IoError(error.value(), absl::StrCat(folder, " cannot be read"))
                 : absl::InvalidArgumentError(absl::StrCat(folder, " is no folder; wants one"));
  }
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (IsBeingWritten(it->path())) {
      it.disable_recursion_pending();
      continue;
    }
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    const std::string name = it->path().lexically_relative(folder).generic_string();
    const ObjectUrl object = url.Child(name);
    IP2P_RETURN_IF_ERROR(ParseObjectUrl(object.text()).status());
    files.push_back({.path = it->path().string(), .url = object});
  }
  if (error) return IoError(error.value(), absl::StrCat(folder, " cannot be listed"));
  std::sort(files.begin(), files.end(),
            [](const FileTransfer& a, const FileTransfer& b) { return a.url.key < b.url.key; });
  return files;
}

absl::StatusOr<std::vector<FileTransfer>> FilesFor(std::span<const ListedObject> objects,
                                                   const ObjectUrl& url, const std::string& folder) {
  std::vector<FileTransfer> files;
  for (const ListedObject& object : objects) {
    if (IsFolderMarker(object)) continue;
    IP2P_ASSIGN_OR_RETURN(const std::string below, PathBelow(url, object.key));
    FileTransfer file{.path = absl::StrCat(folder, "/", below), .url = {url.bucket, object.key}};
    IP2P_RETURN_IF_ERROR(
        MakeFolder(fs::path(file.path).parent_path(), absl::StrCat("a folder for ", file.url.text())));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace ip2p
