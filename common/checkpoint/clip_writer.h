// Writing a CLIP, published whole (storage/) and read back by OpenClip and by transformers' CLIPModel,
// CLIPTokenizer and CLIPImageProcessor.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/checkpoint/clip_source.h"

namespace ip2p {

// A source without a vocabulary gets the standard one. Errors: ALREADY_EXISTS (nothing is replaced),
// FAILED_PRECONDITION (no vocabulary, tensors that do not fit the config), the file system's own.
absl::Status SaveClipFolder(const ClipSource& source, const std::string& path);

}  // namespace ip2p
