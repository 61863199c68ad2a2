#include "common/pipeline/unedited.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/image/fit.h"

namespace ip2p {

absl::StatusOr<EditResult> Unedited(Image photo, const EditParams& params) {
  EditResult result;
  result.params = params;
  if (params.resolution != 0 && !KeepsTheRest(params)) {
    IP2P_ASSIGN_OR_RETURN(photo, FitReference(photo, params.resolution));
  }
  for (int i = 0; i < params.count; ++i) {
    result.outputs.push_back({.image = photo, .seed = params.seed + static_cast<uint32_t>(i)});
  }
  return result;
}

}  // namespace ip2p
