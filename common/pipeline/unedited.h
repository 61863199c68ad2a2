// The answer to an empty instruction: the reference gives its (fitted) input back. No model is needed.
#pragma once

#include "absl/status/statusor.h"
#include "common/pipeline/edit_types.h"

namespace ip2p {

// `count` copies of the photo at the size that an edit would have: its own when the rest is kept.
// INVALID_ARGUMENT as FitReference's.
absl::StatusOr<EditResult> Unedited(Image photo, const EditParams& params);

}  // namespace ip2p
