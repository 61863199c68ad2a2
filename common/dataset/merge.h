// Several datasets as one, so that a training run reads them together: prompts in the order of the inputs,
// numbered anew, files byte for byte. Images without their other half, and files that are none of the
// format's, stay behind.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct MergeReport {
  int64_t prompts = 0;
  int64_t pairs = 0;
};

// Fills `output`, a folder or s3:// URL; an interrupted run is continued. INVALID_ARGUMENT: no inputs.
// FAILED_PRECONDITION: the output holds another dataset, or one of other inputs or of what they were before.
// ABORTED: another process is at it. `progress` (prompts done, of all) may be null.
absl::StatusOr<MergeReport> MergeDatasets(const std::vector<std::string>& inputs, const std::string& output,
                                          const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ip2p
