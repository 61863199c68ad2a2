// A folder of files as objects below a prefix, and back: which file is which object.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/object_store/object_store.h"

namespace ip2p {

// All regular files below `folder`, by name, as objects below `url`. Links to files count as files; what is
// being written (".tmp-...") is left out. NOT_FOUND, INVALID_ARGUMENT (no folder, a name that is no UTF-8 or
// too long for a key), as readdir(3).
absl::StatusOr<std::vector<FileTransfer>> FilesBelow(const std::string& folder, const ObjectUrl& url);

// The objects below `url` as files below `folder`, whose folders are made. Markers of folders ("models/",
// empty) are left out. INVALID_ARGUMENT: a key that can be no file's name, such as one with "..".
absl::StatusOr<std::vector<FileTransfer>> FilesFor(std::span<const ListedObject> objects,
                                                   const ObjectUrl& url, const std::string& folder);

// The part of the key below `url`, if all its parts can be names of files: "unet/config.json".
// INVALID_ARGUMENT.
absl::StatusOr<std::string> PathBelow(const ObjectUrl& url, const std::string& key);

// Whether an object stands for a folder alone.
bool IsFolderMarker(const ListedObject& object);

}  // namespace ip2p
