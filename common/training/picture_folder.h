// Pictures with captions, in the layout of Hugging Face's "imagefolder". Internal to this folder.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/training/example_source.h"

namespace ip2p {

// metadata.jsonl in `path`: an object a line with file_name and caption or text. Lines that are none, and
// names that leave the folder, are no examples. FAILED_PRECONDITION when over 0.1 % of the lines are such.
absl::StatusOr<std::unique_ptr<const ExampleSource>> OpenPictureFolder(const std::string& path, Split split);

}  // namespace ip2p
